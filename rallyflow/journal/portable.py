"""Keeps paths below the home in a form that still holds when the home has been moved to another place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_HOME = "rallyflow-home:/"


def portable(data: Any, root: Path) -> Any:
    """Return plain data with every path below the home `root` made relative to it."""
    before = f"{root}/"
    return _each(data, lambda text: _HOME + text.removeprefix(before) if text.startswith(before) else text)


def local(data: Any, root: Path) -> Any:
    """Return what `portable` was given, for the place that the home has now."""
    return _each(data, lambda text: f"{root}/{text.removeprefix(_HOME)}" if text.startswith(_HOME) else text)


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each(item, change) for item in value]
    return value
