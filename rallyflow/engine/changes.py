"""Says what is different between a step as it was planned once and as it is planned now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rallyflow.model.plan import PlannedStep

_LONGEST = 60  # characters of a value that are shown
_ABSENT = object()
UPSTREAM = "what it needs has changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different. Texts of values are as the file has them; empty: it was not, or is not, there."""

    place: str  # `uses`, `with.load.constant.iterations`, `matrix.users`, ...
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before and not self.after:
            return self.place
        if not self.before:
            return f"{self.place} is new: {self.after}"
        if not self.after:
            return f"{self.place} is gone: it was {self.before}"
        return f"{self.place}: {self.before} -> {self.after}"


def changes(before: PlannedStep, after: PlannedStep) -> list[Change]:
    """Return what makes the fingerprint of a step another one; only what comes before it, if it is not itself."""
    old, new = dict(_parts(before)), dict(_parts(after))
    found = [
        Change(place, _text(old.get(place, _ABSENT)), _text(new.get(place, _ABSENT)))
        for place in {**old, **new}
        if old.get(place, _ABSENT) != new.get(place, _ABSENT)
    ]
    upstream = before.components.get("upstream") != after.components.get("upstream")
    return found or ([Change(UPSTREAM, "", "")] if upstream else [])


def _parts(step: PlannedStep) -> Iterator[tuple[str, Any]]:
    """Give everything of a step that its fingerprint is made of, each with a name that a person understands."""
    uses, _, version = str(step.components.get("type", step.uses)).rpartition(" ")
    yield "uses", uses or step.uses
    yield f"the version of {uses or step.uses}", version
    sources = {place.path: place.source for place in step.deferred}
    yield from _leaves("with", step.inputs, (), sources)
    for axis, value in step.matrix.items():
        yield f"matrix.{axis}", value
    if step.foreach is not None:
        yield "foreach", step.foreach


def _leaves(
    name: str, value: Any, path: tuple[str | int, ...], sources: Mapping[tuple[str | int, ...], str]
) -> Iterator[tuple[str, Any]]:
    if path in sources:
        yield name, sources[path]
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner, (*path, key), sources)
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for number, inner in enumerate(value):
            yield from _leaves(f"{name}.{number}", inner, (*path, number), sources)
    else:
        yield name, value


def _text(value: Any) -> str:
    if value is _ABSENT:
        return ""
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
