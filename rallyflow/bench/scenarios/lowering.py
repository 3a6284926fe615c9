"""Freezes a scenario and the values of its arguments into operations that cross processes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow.bench.scenarios.model import (
    Argument,
    Call,
    Constant,
    Repeat,
    Result,
    Scenario,
    Sleep,
    Step,
    Value,
)

Operation = dict[str, Any]
"""One of {call, constants, results, slot}, {sleep: [low, high]}, {repeat, do}: what load/program.py takes."""


def lower(scenario: Scenario, args: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of a scenario. `args` has a final value for each argument: id, number, text."""
    return _sequence(scenario.steps, args)


def _sequence(steps: tuple[Step, ...], args: Mapping[str, Any]) -> list[Operation]:
    return [_operation(step, args) for step in steps]


def _operation(step: Step, args: Mapping[str, Any]) -> Operation:
    match step:
        case Call(action, values, slot):
            fixed = {name: _fixed(value, args) for name, value in values.items() if not isinstance(value, Result)}
            late = {name: value.slot for name, value in values.items() if isinstance(value, Result)}
            return {"call": action, "constants": fixed, "results": late, "slot": slot}
        case Sleep(low, high):
            return {"sleep": [_fixed(low, args), _fixed(high, args)]}
        case Repeat(times, body):
            return {"repeat": _fixed(times, args), "do": _sequence(body, args)}


def _fixed(value: Value, args: Mapping[str, Any]) -> Any:
    match value:
        case Constant(given):
            return given
        case Argument(name):
            return args[name]
        case Result():
            raise TypeError("what an action returns is not known before it has run")
