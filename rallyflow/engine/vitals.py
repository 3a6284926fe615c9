"""How the attempts of a session are: when they were last heard of, how far they are, what they use.

A worker that gives no sign of life for too long is ended by the engine: it was stopped, or it hangs in a way that even
its own threads do not get out of. Time for which the engine itself could not listen does not count.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rallyflow.errors import StorageError
from rallyflow.journal.books import ProgressBook
from rallyflow.model.ids import StepId
from rallyflow.model.records import Reading
from rallyflow.model.step import Progress

BEAT = 1.0
"""Seconds between two signs of life of a worker."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of a worker, with what its attempt has used so far, with all of its processes."""

    cpu_s: float = 0.0
    memory_bytes: int = 0  # now


def patience() -> float:
    """Return for how many seconds a worker may be silent: RALLYFLOW_HEARTBEAT, or half a minute."""
    try:
        return max(2 * BEAT, float(os.environ.get("RALLYFLOW_HEARTBEAT", "")))
    except ValueError:
        return 30.0


@dataclass(slots=True)
class _Vital:
    attempt: int
    heard: float  # on the monotonic clock
    beat: Beat = field(default_factory=Beat)
    progress: Progress = field(default_factory=Progress)
    changed: bool = True


class Vitals:
    """The attempts in flight, by step."""

    def __init__(self, book: ProgressBook) -> None:
        """Take the book that readers in other processes look into."""
        self._book = book
        self._vitals: dict[StepId, _Vital] = {}
        self._patience = patience()
        self._looked = time.monotonic()

    def started(self, step: StepId, attempt: int) -> None:
        """An attempt was given to a worker."""
        self._vitals[step] = _Vital(attempt, time.monotonic())

    def heard(self, step: StepId, message: Beat | Progress) -> None:
        """A worker said something about its attempt."""
        vital = self._vitals.get(step)
        if vital is None:
            return
        vital.heard = time.monotonic()
        vital.changed = True
        if isinstance(message, Beat):
            vital.beat = message
        else:
            vital.progress = message

    def ended(self, step: StepId) -> None:
        """An attempt is over."""
        self._vitals.pop(step, None)

    def silent(self) -> Sequence[StepId]:
        """Return the steps whose workers have been silent for too long."""
        now = time.monotonic()
        away, self._looked = now - self._looked, now
        if away > self._patience / 3:  # it was the engine that did not listen
            for vital in self._vitals.values():
                vital.heard += away
        return [step for step, vital in self._vitals.items() if now - vital.heard > self._patience]

    def write(self) -> None:
        """Let readers see what has changed, if that can be written just now: the run does not depend on it."""
        changed = {step: vital for step, vital in self._vitals.items() if vital.changed}
        if not changed:
            return
        readings = [
            Reading(
                *(step, vital.attempt, vital.progress.done, vital.progress.total, vital.progress.note),
                *(vital.beat.cpu_s, vital.beat.memory_bytes, time.time_ns()),
            )
            for step, vital in changed.items()
        ]
        with contextlib.suppress(StorageError):
            self._book.write(readings)
        for vital in changed.values():
            vital.changed = False

    def close(self) -> None:
        """Nothing is in flight any more."""
        self._book.clear()
