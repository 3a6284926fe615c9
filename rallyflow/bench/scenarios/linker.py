"""Checks a scenario of a file against the actions that it names, and gives it the form that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from rallyflow import plugins
from rallyflow.bench.actions import registry
from rallyflow.bench.actions.actor import FlavorId, ImageId, NetworkId
from rallyflow.bench.scenarios.model import (
    ArgModel,
    Argument,
    Call,
    Constant,
    Kind,
    Problem,
    Repeat,
    Result,
    Scenario,
    ScenarioModel,
    Sleep,
    Step,
    Value,
)

PYTHON_TYPES: Mapping[Kind, Any] = {
    Kind.IMAGE: ImageId,
    Kind.FLAVOR: FlavorId,
    Kind.NETWORK: NetworkId,
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.BOOL: bool,
    Kind.STR: str,
}
_MISSING = object()


def link(name: str, model: ScenarioModel) -> tuple[Scenario | None, list[Problem]]:
    """Return the scenario, or None and everything that is wrong with it."""
    linker = _Linker(model.args)
    steps = linker.sequence(model.do, ("do",))
    if linker.problems:
        return None, linker.problems
    return Scenario(name, model, steps, linker.slots, tuple(dict.fromkeys(linker.actions))), []


def closest(name: str, options: Any) -> str:
    """Return a hint: the option that a misspelt name was meant to be, or all of them."""
    close = get_close_matches(name, options, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(options)) or 'none'}"


class _Linker:
    def __init__(self, args: Mapping[str, ArgModel]) -> None:
        self.args = args
        self.results: dict[str, tuple[int, Any]] = {}  # name after `as:` -> slot, type
        self.slots = 0
        self.actions: list[str] = []
        self.problems: list[Problem] = []

    def sequence(self, items: Any, loc: tuple[str | int, ...]) -> tuple[Step, ...]:
        if not isinstance(items, list):
            self._problem(loc, "must be a list of actions")
            return ()
        found = (self._step(item, (*loc, index)) for index, item in enumerate(items))
        return tuple(step for step in found if step is not None)

    def _step(self, item: Any, loc: tuple[str | int, ...]) -> Step | None:
        if not isinstance(item, dict):
            self._problem(loc, "must be a mapping such as `nova.get_server: {server: $server}`")
            return None
        keys = [key for key in item if key not in ("as", "do")]
        if len(keys) != 1:
            self._problem(loc, f"must name one action, `sleep` or `repeat`, not {keys}")
            return None
        if keys[0] == "sleep":
            return self._sleep(item["sleep"], (*loc, "sleep"))
        if keys[0] == "repeat":
            times = self._value(item["repeat"], int, (*loc, "repeat"))
            body = self.sequence(item.get("do"), (*loc, "do"))
            return Repeat(times, body) if times is not None else None
        return self._call(keys[0], item, loc)

    def _sleep(self, given: Any, loc: tuple[str | int, ...]) -> Sleep | None:
        if not isinstance(given, dict):
            value = self._value(given, float, loc)
            return Sleep(value, value) if value is not None else None
        if set(given) != {"min", "max"}:
            self._problem(loc, "must be seconds, or {min: seconds, max: seconds}")
            return None
        low, high = (self._value(given[end], float, (*loc, end)) for end in ("min", "max"))
        return Sleep(low, high) if low is not None and high is not None else None

    def _call(self, name: str, item: dict[str, Any], loc: tuple[str | int, ...]) -> Call | None:
        action = registry.find(name)
        if action is None:
            group = name.partition(".")[0]
            known = registry.names() if group in plugins.names("actions") else plugins.names("actions")
            self._problem((*loc, name), f"there is no action {name!r}", closest(name, known))
            return None
        values = self._values(action, item[name], (*loc, name))
        self.actions.append(name)
        return Call(name, values, self._slot(action, item.get("as"), loc))

    def _slot(self, action: registry.Action, name: str | None, loc: tuple[str | int, ...]) -> int:
        if name is None:
            return -1
        if action.result is NoneType:
            self._problem((*loc, "as"), f"{action.name} returns nothing")
        if name in self.args or name in self.results:
            self._problem((*loc, "as"), f"{name!r} is a name in use already")
        self.results[name] = (self.slots, action.result)
        self.slots += 1
        return self.slots - 1

    def _values(self, action: registry.Action, given: Any, loc: tuple[str | int, ...]) -> dict[str, Value]:
        given = {} if given is None else given
        if not isinstance(given, dict):
            self._problem(loc, "must be a mapping of arguments")
            return {}
        for name in given.keys() - action.parameters.keys():
            hint = closest(str(name), list(action.parameters))
            self._problem((*loc, name), f"{action.name} has no argument {name!r}", hint)
        for parameter in action.parameters.values():
            if parameter.required and parameter.name not in given:
                self._problem(loc, f"{action.name} needs the argument {parameter.name!r}")
        values = {
            name: self._value(value, action.parameters[name].annotation, (*loc, name))
            for name, value in given.items()
            if name in action.parameters
        }
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, given: Any, wanted: Any, loc: tuple[str | int, ...]) -> Value | None:
        if not (isinstance(given, str) and given.startswith("$")):
            if fits_value(given, wanted):
                return Constant(given)
            self._problem(loc, f"{given!r} is not {spelt(wanted)}")
            return None
        name = given[1:]
        value, found = self._reference(name)
        if value is None:
            known = [f"${known}" for known in (*self.args, *self.results)]
            self._problem(loc, f"nothing before this has the name {name!r}", closest(given, known))
            return None
        if not fits_type(found, wanted):
            self._problem(loc, f"{given} is {spelt(found)}, and {spelt(wanted)} is wanted")
            return None
        return value

    def _reference(self, name: str) -> tuple[Value | None, Any]:
        if name in self.results:
            slot, found = self.results[name]
            return Result(slot), found
        if name in self.args:
            arg = self.args[name]
            optional = not arg.required and arg.default is None
            return Argument(name), PYTHON_TYPES[arg.type] | None if optional else PYTHON_TYPES[arg.type]
        return None, _MISSING

    def _problem(self, loc: tuple[str | int, ...], what: str, hint: str = "") -> None:
        self.problems.append(Problem(loc, what, hint))


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def fits_type(given: Any, wanted: Any) -> bool:
    """Whether every value of one annotation may stand where the other is wanted; an int may for a float."""
    options = _options(wanted)
    return all(one in options or (one is int and float in options) for one in _options(given))


def fits_value(value: Any, wanted: Any) -> bool:
    """Whether a value of a file is of an annotation. Ids of things in a cloud can't be written down."""
    return any(_is(value, option) for option in _options(wanted))


def _is(value: Any, option: Any) -> bool:
    if option is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if option is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(option, type) and isinstance(value, option)


def spelt(annotation: Any) -> str:
    """Return an annotation as a person would say it."""
    return " or ".join(
        "nothing" if one is NoneType else getattr(one, "__name__", str(one)) for one in _options(annotation)
    )
