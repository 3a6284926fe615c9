"""What is due later: delays before attempts, and the ends of their time."""

from __future__ import annotations

import heapq
import itertools
import time
from dataclasses import dataclass, field
from typing import Literal

from rallyflow.model.ids import StepId


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """Something that is due at a moment of the monotonic clock."""

    moment: float  # seconds
    serial: int
    kind: Literal["retry", "timeout"] = field(compare=False)
    step: StepId = field(compare=False)
    attempt: int = field(compare=False)


class Timers:
    """Timers in the order in which they are due."""

    def __init__(self) -> None:
        """Start with none."""
        self._heap: list[Timer] = []
        self._serial = itertools.count()

    def set(self, seconds: float, kind: Literal["retry", "timeout"], step: StepId, attempt: int) -> None:
        """Have something due in so many seconds."""
        heapq.heappush(self._heap, Timer(time.monotonic() + seconds, next(self._serial), kind, step, attempt))

    @property
    def next(self) -> float | None:
        """The moment at which the next one is due; None when there is none."""
        return self._heap[0].moment if self._heap else None

    def due(self) -> list[Timer]:
        """Return those that are due now, and forget them."""
        now = time.monotonic()
        found = []
        while self._heap and self._heap[0].moment <= now:
            found.append(heapq.heappop(self._heap))
        return found
