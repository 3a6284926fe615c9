"""Explains what expressions can do: filters, tests, functions and methods, from the file `expressions.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from rallyflow.explanations.topic import Topic

KINDS = ("filter", "test", "function", "method")


@cache
def entries() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return what the file says, by kind and name."""
    import yaml

    text = (files(__package__) / "expressions.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    return found


def explain_entry(kind: str, name: str) -> Topic:
    """Return the explanation of one filter, test, function or method that there is."""
    import json

    entry = entries()[kind][name]
    shown = f"${{{{ {entry['example']} }}}}"
    facts = {"example": shown, "gives": json.dumps(entry["gives"], ensure_ascii=False)}
    return Topic(kind, f"{kind}.{name}", entry["means"], facts)


def explain_kind(kind: str) -> Topic:
    """Return the list of all filters, tests, functions or methods."""
    found = entries()[kind]
    facts = {name: entry["means"] for name, entry in found.items()}
    return Topic(f"{kind}s", kind, _KINDS[kind], facts, see=tuple(f"{kind}.{name}" for name in found))


_KINDS = {
    "filter": "Filters change a value: ${{ VALUE | FILTER }}.",
    "test": "Tests answer a question: ${{ VALUE is TEST }}; also in select, reject, selectattr and rejectattr.",
    "function": "Functions are called: ${{ FUNCTION() }}.",
    "method": "Methods are called on a text, a list or a mapping: ${{ VALUE.METHOD() }}. There are no others.",
}
