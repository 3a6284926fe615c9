"""Turns the operations of a scenario into closures: nothing is looked up by name while the load runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import Any

from rallyflow.bench.actions import registry
from rallyflow.bench.actions.actor import Actor
from rallyflow.clouds.transport import Meter

ROW = 7
"""How many numbers a frame keeps per action: name, start, duration, ok, requests, http_ns, poll_ns."""


class Frame:
    """What one thread keeps of the iteration that it runs."""

    __slots__ = ("actor", "failed", "idle_ns", "meter", "results", "rows")

    def __init__(self, actor: Actor, meter: Meter, slots: int) -> None:
        self.actor = actor
        self.meter = meter
        self.results: list[Any] = [None] * slots
        self.rows: list[int] = []  # ROW numbers for each action
        self.idle_ns = 0
        self.failed: int | None = None  # the name of the action in which an error arose


Program = Callable[[Frame], None]


def build(operations: Sequence[dict[str, Any]], names: Sequence[str]) -> Program:
    """Return a program that runs operations of `scenarios.lowering` in a frame; raises what an action raises.

    `names` gives the actions their numbers. The modules of the actions have been imported.
    """
    steps = tuple(_step(operation, names) for operation in operations)
    if len(steps) == 1:
        return steps[0]

    def sequence(frame: Frame) -> None:
        for step in steps:
            step(frame)

    return sequence


def _step(operation: dict[str, Any], names: Sequence[str]) -> Program:
    if "call" in operation:
        return _timed(_bound(operation), names.index(operation["call"]))
    if "sleep" in operation:
        return _sleep(*operation["sleep"])
    return _repeat(operation["repeat"], build(operation["do"], names))


def _bound(operation: dict[str, Any]) -> Program:
    """Return a call of the action with its constants frozen in; earlier results come from the frame."""
    function = registry.known(operation["call"]).function
    call = partial(function, **operation["constants"]) if operation["constants"] else function
    needed = tuple(operation["results"].items())
    slot = operation["slot"]
    if not needed and slot < 0:
        return lambda frame: call(frame.actor)

    def run(frame: Frame) -> None:
        results = frame.results
        value = call(frame.actor, **{name: results[place] for name, place in needed})
        if slot >= 0:
            results[slot] = value

    return run


def _timed(call: Program, name: int) -> Program:
    def timed(frame: Frame) -> None:
        meter = frame.meter
        requests, http_ns = meter.requests, meter.http_ns
        meter.poll_ns = 0
        ok = 0
        started = perf_counter_ns()
        try:
            call(frame)
            ok = 1
        except Exception:
            if frame.failed is None:
                frame.failed = name
            raise
        finally:
            ended = perf_counter_ns()
            frame.rows += (
                name,
                started,
                ended - started,
                ok,
                meter.requests - requests,
                meter.http_ns - http_ns,
                meter.poll_ns,
            )

    return timed


def _sleep(low: float, high: float) -> Program:
    def sleep(frame: Frame) -> None:
        started = perf_counter_ns()
        time.sleep(random.uniform(low, high))  # noqa: S311 - no secret depends on it
        frame.idle_ns += perf_counter_ns() - started

    def nothing(_frame: Frame) -> None:
        """A sleep of no time at all is not worth a system call."""

    return sleep if high > 0 else nothing


def _repeat(times: int, body: Program) -> Program:
    def repeat(frame: Frame) -> None:
        for _ in range(times):
            body(frame)

    return repeat
