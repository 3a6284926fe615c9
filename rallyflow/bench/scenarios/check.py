"""Checks offline whether a scenario exists and takes the arguments that a workflow gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow.bench.scenarios import catalog
from rallyflow.bench.scenarios.linker import PYTHON_TYPES, closest, fits_value
from rallyflow.bench.scenarios.model import ArgModel, Kind, Problem, Scenario
from rallyflow.errors import NotFound


def validate_scenario(name: Any, args: Any) -> list[Problem]:
    """Return what is wrong with a scenario's name and arguments.

    Asks no cloud. Values of types that no file can have (placeholders of values not known yet) pass.
    """
    if not isinstance(name, str):
        return []
    try:
        scenario = catalog.find(name)
    except NotFound as error:
        return [Problem(("scenario",), error.what, error.hint)]
    return check_args(scenario, args) if isinstance(args, Mapping) else []


def check_args(scenario: Scenario, args: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with arguments for a scenario; locations start with `args`."""
    known = scenario.model.args
    problems = [
        Problem(("args", name), f"{scenario.name} has no argument {name!r}", closest(str(name), list(known)))
        for name in args
        if name not in known
    ]
    problems += [
        Problem(("args",), f"{scenario.name} needs the argument {name!r}", f"it takes {arg.type.value}")
        for name, arg in known.items()
        if arg.required and name not in args
    ]
    return problems + [
        Problem(("args", name), wrong[0], wrong[1])
        for name, value in args.items()
        if name in known and (wrong := _wrong(known[name], value)) is not None
    ]


def _wrong(arg: ArgModel, value: Any) -> tuple[str, str] | None:
    """Return what is wrong with a value and a hint, or None."""
    if not isinstance(value, str | int | float | Mapping | list | None):
        return None
    if value is None:
        optional = not arg.required and arg.default is None
        return None if optional else ("must not be empty", "")
    if arg.type.in_cloud:
        return _wrong_in_cloud(arg.type, value)
    if not fits_value(value, PYTHON_TYPES[arg.type]):
        return f"{value!r} is not {_SPELT[arg.type]}", ""
    return _out_of_bounds(arg, value)


def _out_of_bounds(arg: ArgModel, value: Any) -> tuple[str, str] | None:
    if arg.min is not None and value < arg.min:
        return f"{value} is less than {arg.min:g}", ""
    if arg.max is not None and value > arg.max:
        return f"{value} is more than {arg.max:g}", ""
    return None


def _wrong_in_cloud(kind: Kind, value: Any) -> tuple[str, str] | None:
    hint = f"such as {{name: {'cirros' if kind is Kind.IMAGE else 'NAME'}}}"
    if not isinstance(value, Mapping) or len(value) != 1 or not set(value) <= {"name", "id"}:
        return f"must say which {kind.value.lower()}, by name or by id", hint
    return None


_SPELT = {Kind.INT: "a whole number", Kind.FLOAT: "a number", Kind.BOOL: "true or false", Kind.STR: "a text"}
