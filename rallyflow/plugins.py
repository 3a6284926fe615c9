"""Finds plugins by their entry points, ours and anyone's in the same way, and loads each when first used."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rallyflow.errors import PluginError
from rallyflow.hints import did_you_mean


@cache
def names(group: str) -> tuple[str, ...]:
    """Return the names in a group such as `providers`, sorted."""
    return tuple(sorted(_entries(group)))


@cache
def load(group: str, name: str) -> Any:
    """Return the object behind a plugin's name; PluginError when it is missing or broken."""
    entry = _entries(group).get(name)
    if entry is None:
        close = get_close_matches(name, names(group), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names(group)) or 'none'}"
        raise PluginError(f"there is no plugin {name!r} among the {group}", hint=hint)
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"the plugin {name!r} ({entry.value}) of the {group} can't be loaded: {error}",
            hint="is the package that it comes from complete?",
        ) from error


FAMILIES = {"provision": "providers", "deploy": "deployers", "verify": "verifiers", "report": "exporters"}
"""What stands before the slash in `uses:`, with the plugin group that the name after it belongs to."""


def step_type(uses: str) -> Any:
    """Return the step type (a subclass of StepType) that `uses:` names, such as `deploy/embedded` or `benchmark`."""
    family, slash, name = uses.partition("/")
    if slash and family in FAMILIES:
        return load(FAMILIES[family], name)
    if uses in FAMILIES:
        options = ", ".join(f"{uses}/{name}" for name in names(FAMILIES[uses]))
        raise PluginError(f"{uses!r} needs a plugin after a slash", hint=f"one of: {options}")
    if uses in names("steps"):
        return load("steps", uses)
    usable = [name for name in step_types() if name != "workflow"]
    raise PluginError(f"there is no step type {uses!r}", hint=did_you_mean(uses, usable))


def step_types() -> tuple[str, ...]:
    """Return everything that `uses:` can name."""
    plain = names("steps")
    families = (f"{family}/{name}" for family, group in FAMILIES.items() for name in names(group))
    return tuple(sorted((*plain, *families)))


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"rallyflow.{group}")}
