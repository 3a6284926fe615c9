"""What list calls have in common: filters, and pages by limit and marker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request


def matching(rows: Iterable[Row], request: Request, names: Sequence[str]) -> list[Row]:
    """Return the rows whose fields have the values that the query asks for."""
    wanted = {name: request.query[name] for name in names if name in request.query}
    if not wanted:
        return list(rows)
    return [row for row in rows if all(_equal(row.get(name), value) for name, value in wanted.items())]


def page(rows: Sequence[Row], request: Request, *, most: int = 1000) -> tuple[list[Row], bool]:
    """Return the rows after `marker`, at most `limit`, and whether there are more; Fault 400."""
    start, marker = 0, request.query.get("marker")
    if marker:
        start = next((index for index, row in enumerate(rows, 1) if row["id"] == marker), -1)
        if start < 0:
            raise Fault(400, f"marker [{marker}] not found")
    limit = _limit(request, most)
    return list(rows[start : start + limit]), start + limit < len(rows)


def next_page(request: Request, path: str, last: str) -> str:
    """Return the path and query of the page after the row `last`, with the same filters."""
    return f"{path}?{urlencode(request.query | {'marker': last})}"


def next_links(request: Request, path: str, last: str) -> list[Row]:
    """Return the links that a list with more pages ends with."""
    return [{"rel": "next", "href": request.cloud.url + next_page(request, path, last)}]


def _limit(request: Request, most: int) -> int:
    text = request.query.get("limit", "")
    if not text:
        return most
    if not text.isdigit():
        raise Fault(400, f"limit param must be an integer, not {text!r}")
    return min(int(text) or most, most)


def _equal(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return value is (wanted.lower() in ("true", "1"))
    return str(value if value is not None else "") == wanted
