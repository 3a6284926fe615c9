"""Whether the declaration of a param makes sense, before there is any value of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rallyflow.hints import did_you_mean
from rallyflow.model.params import NUMERIC, SCALARS, VALUES, bound_text, innermost, read_bound
from rallyflow.model.workflow import Param

_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one key of a declaration."""

    key: str
    what: str
    hint: str = ""


def flaws_of(spec: Param) -> Iterator[Flaw]:
    """Yield everything that is wrong with a declaration, but for its default."""
    kind = innermost(spec.type)
    if kind not in SCALARS and kind not in VALUES:
        known = [*SCALARS, *VALUES, "list(int)", "map(str)"]
        yield Flaw("type", f"there is no type {kind!r}", did_you_mean(kind, known))
        return
    if spec.type.count("(") > _DEEPEST:
        yield Flaw("type", f"lists and maps inside each other more than {_DEEPEST} deep")
        return
    if kind == "enum" and not spec.choices:
        yield Flaw("choices" if spec.choices is not None else "type", "an enum needs choices", "add choices: [a, b]")
    yield from _bounds(spec, kind)
    yield from _pattern(spec, kind)
    yield from _choices(spec, kind)


def _bounds(spec: Param, kind: str) -> Iterator[Flaw]:
    given = [key for key in ("min", "max") if getattr(spec, key) is not None]
    if kind not in NUMERIC:
        for key in given:
            yield Flaw(key, f"{key} has no meaning for the type {kind}", f"only for {', '.join(NUMERIC)}")
        return
    found: list[float] = []
    for key in given:
        try:
            found.extend(bound for bound in [read_bound(spec, getattr(spec, key))] if bound is not None)
        except ValueError as error:
            yield Flaw(key, f"{key}: {error}", f"its type is {spec.type}")
    if len(found) > 1 and found[0] > found[1]:
        largest, smallest = bound_text(spec.max), bound_text(spec.min)
        yield Flaw("max", f"max is {largest}, which is less than min, {smallest}", "no value can be within both")


def _pattern(spec: Param, kind: str) -> Iterator[Flaw]:
    if spec.pattern is None:
        return
    if kind not in ("str", "enum"):
        yield Flaw("pattern", f"pattern has no meaning for the type {kind}", "only for str")
    try:
        re.compile(spec.pattern)
    except re.error as error:
        hint = "write it in single quotes, and a backslash before a sign that is meant as it is: '\\['"
        yield Flaw("pattern", f"not a regular expression: {error}", hint)


def _choices(spec: Param, kind: str) -> Iterator[Flaw]:
    for choice in spec.choices or () if kind in SCALARS else ():
        try:
            SCALARS[kind](choice)
        except ValueError as error:
            yield Flaw("choices", f"choices: {error}", f"its type is {spec.type}")
