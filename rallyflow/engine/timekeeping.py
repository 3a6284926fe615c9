"""The times of a session: since when attempts run, until when they may, and what is due later.

All of it is measured on the monotonic clock: whatever is done to the clock of the machine changes nothing.
"""

from __future__ import annotations

import heapq
import itertools
import time
from dataclasses import dataclass, field
from typing import Literal

from rallyflow.engine.retrying import shortest_delay
from rallyflow.errors import ErrorClass
from rallyflow.model.ids import StepId
from rallyflow.model.plan import PlannedStep

Due = Literal["retry", "timeout"]


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """Something that is due at a moment."""

    moment: float  # seconds
    serial: int
    kind: Due = field(compare=False)
    step: StepId = field(compare=False)
    attempt: int = field(compare=False)


class Timekeeper:
    """Knows the times of all steps of a session."""

    def __init__(self) -> None:
        """Begin with nothing that is due."""
        self._timers: list[Timer] = []
        self._serial = itertools.count()
        self._began: dict[StepId, float] = {}
        self._deadlines: dict[StepId, float] = {}

    def begin(self, step: StepId) -> None:
        """An attempt begins."""
        self._began[step] = time.monotonic()

    def took(self, step: StepId) -> float:
        """Return the seconds since the attempt of a step began; it is over now."""
        now = time.monotonic()
        return round(now - self._began.pop(step, now), 6)

    def limit(self, planned: PlannedStep, attempt: int) -> None:
        """Have the attempt that has begun timed out when its time, or that of all attempts, is over."""
        if planned.deadline is not None:
            self._deadlines.setdefault(planned.id, time.monotonic() + planned.deadline)
        limits = [seconds for seconds in (planned.timeout, self.left(planned.id)) if seconds is not None]
        if limits:
            self.set(max(0.0, min(limits)), "timeout", planned.id, attempt)

    def left(self, step: StepId) -> float | None:
        """Return the seconds that a step still has for all of its attempts; None for no limit."""
        return self._deadlines[step] - time.monotonic() if step in self._deadlines else None

    def is_last(self, planned: PlannedStep, number: int, kind: ErrorClass | None) -> bool:
        """Whether a step that would be tried again has no time for that: it would be over before the next attempt.

        `number` counts the attempts of this session, from 1.
        """
        retry, left = planned.retry, self.left(planned.id)
        if left is None or kind not in retry.on or number >= retry.attempts:
            return False
        return left <= shortest_delay(retry, number)

    def set(self, seconds: float, kind: Due, step: StepId, attempt: int) -> None:
        """Have something due in so many seconds."""
        heapq.heappush(self._timers, Timer(time.monotonic() + seconds, next(self._serial), kind, step, attempt))

    @property
    def next(self) -> float | None:
        """The moment at which the next thing is due; None when there is none."""
        return self._timers[0].moment if self._timers else None

    def due(self) -> list[Timer]:
        """Return what is due now, and forget it."""
        now = time.monotonic()
        found = []
        while self._timers and self._timers[0].moment <= now:
            found.append(heapq.heappop(self._timers))
        return found
