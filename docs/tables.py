"""Tables of keys, the same on every page of the reference: from pydantic models, by way of what `explain` says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from rallyflow.explanations.models import keys_of


def fields_of(model: Any, *, without: Collection[str] = ()) -> Iterator[str]:
    """Yield the table of a model's keys: name, type, default, what it is for."""
    if not model.model_fields:
        yield "none\n"
        return
    yield from rows(("key", "type", "default", ""))
    for key in keys_of(model):
        if key.name in without:
            continue
        default = key.default if key.default in ("", "required") else code(key.default)
        yield row(code(key.name), _escaped(key.type), default, _escaped(key.description))
    yield ""


def rows(headings: tuple[str, ...]) -> Iterator[str]:
    """Yield the head of a table."""
    yield row(*headings)
    yield f"|{'---|' * len(headings)}"


def row(*cells: str) -> str:
    """Return one row of a table."""
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """Return a text as code that may stand in a table."""
    return f"`{_escaped(text)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
