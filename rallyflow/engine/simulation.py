"""Runs a plan in thought: how long it would take, and which steps make it take so long.

The core of the engine decides as in a real run, with workers, locks and limits, but attempts end at once on a clock of
their own, after the time that they took in earlier runs.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from rallyflow.engine.decide import decide
from rallyflow.engine.messages import (
    Begin,
    Command,
    Ended,
    Event,
    Expanded,
    Finish,
    Judge,
    Judged,
    Revive,
    Revived,
    Settle,
    Start,
)
from rallyflow.engine.view import View, failed
from rallyflow.model.ids import StepId
from rallyflow.model.states import StepState


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a run would be like when all steps succeed."""

    seconds: float  # from its start to its end
    critical: tuple[StepId, ...]  # each starts when the one before it has ended; the last one ends last
    skipped: Mapping[StepId, str]  # steps that would not run, with the reason
    started: tuple[StepId, ...]  # in this order


def simulate(view: View, seconds: Mapping[StepId, float], constant: Mapping[StepId, bool]) -> Foreseen:
    """Return what a run from this view would be like.

    `seconds` is how long steps take (0 where it is not known); `constant` are the conditions whose value is known.
    """
    return _Clock(view, seconds, constant).run()


@dataclass(slots=True)
class _Clock:
    view: View
    seconds: Mapping[StepId, float]
    constant: Mapping[StepId, bool]
    now: float = 0.0
    finished: bool = False
    ends: list[tuple[float, int, StepId, Event]] = field(default_factory=list)
    cause: dict[StepId, StepId] = field(default_factory=dict)  # of each step: whose end let it start
    started: list[StepId] = field(default_factory=list)
    skipped: dict[StepId, str] = field(default_factory=dict)

    def run(self) -> Foreseen:
        last: StepId | None = None
        self._tell([Begin()], None)
        while not self.finished and self.ends:
            self.now, _, last, event = heapq.heappop(self.ends)
            self._tell([event], last)
        path: list[StepId] = []
        while last is not None:
            path.append(last)
            last = self.cause.get(last)
        return Foreseen(self.now, tuple(reversed(path)), self.skipped, tuple(self.started))

    def _tell(self, events: list[Event], cause: StepId | None) -> None:
        while events:
            self.view, commands = decide(self.view, events.pop(0))
            for command in commands:
                events.extend(self._obey(command, cause))

    def _obey(self, command: Command, cause: StepId | None) -> list[Event]:
        match command:
            case Judge(step):
                return [Judged(step, self._holds(step), self._why_not(step))]
            case Start(step, _):
                planned = self.view.graph.steps[step]
                event: Event = Ended(step, StepState.SUCCEEDED)
                if planned.foreach is not None:
                    event = Expanded(step, ())
                self._later(step, event, cause)
            case Revive(step):
                self._later(step, Revived(step, alive=True), cause)
            case Settle(step, StepState.SKIPPED, reason):
                self.skipped[step] = reason
            case Finish():
                self.finished = True
        return []

    def _later(self, step: StepId, event: Event, cause: StepId | None) -> None:
        if cause is not None:
            self.cause[step] = cause
        self.started.append(step)
        heapq.heappush(self.ends, (self.now + self.seconds.get(step, 0.0), len(self.started), step, event))

    def _holds(self, step: StepId) -> bool:
        if step in self.constant:
            return self.constant[step]
        calls = self.view.graph.steps[step].condition
        return calls != "failure()" or failed(self.view, step)

    def _why_not(self, step: StepId) -> str:
        condition = self.view.graph.steps[step].condition
        return (
            f"only if something fails: {condition}"
            if condition == "failure()"
            else f"its condition is false: {condition}"
        )
