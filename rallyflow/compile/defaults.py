"""Puts the defaults of a file into its steps: those of a step's type before those of its family before those of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow.compile.diagnostics import Path, Source

_MERGED = ("with", "retry")
"""Keys of a step that take from the defaults what they leave out; others are taken whole."""
_OF_ALL = ("timeout", "retry", "on_failure")
_OF_A_TYPE = ("with", "timeout", "retry", "locks", "limits", "on_failure")


def with_defaults(step: Mapping[str, Any], path: Path, defaults: Any, source: Source) -> dict[str, Any]:
    """Return a step as the file has it, with what it leaves out; that keeps its place among the defaults."""
    result = dict(step)
    for layer, place in _layers(step.get("uses"), defaults):
        for key in _OF_ALL if place == ("defaults",) else _OF_A_TYPE:
            if key in layer:
                _take(result, key, layer[key], (*path, key), (*place, key), source)
    return result


def _layers(uses: Any, defaults: Any) -> list[tuple[Mapping[str, Any], Path]]:
    """Return the defaults that are for a step, the nearest first, with their places."""
    if not isinstance(defaults, dict) or not isinstance(uses, str):
        return []
    types = defaults.get("types")
    types = types if isinstance(types, dict) else {}
    names = [name for name in dict.fromkeys((uses, uses.partition("/")[0])) if isinstance(types.get(name), dict)]
    return [*((types[name], ("defaults", "types", name)) for name in names), (defaults, ("defaults",))]


def _take(step: dict[str, Any], key: str, value: Any, to: Path, place: Path, source: Source) -> None:
    if key not in step:
        step[key] = value
        source.alias(to, place)
    elif key in _MERGED and isinstance(value, dict) and isinstance(step[key], dict):
        for inner in value.keys() - step[key].keys():
            step[key] = {**step[key], inner: value[inner]}
            source.alias((*to, inner), (*place, inner))
