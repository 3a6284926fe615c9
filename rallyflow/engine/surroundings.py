"""What a session gives its runner: where the run lives, what is known of it, and who wants to see it happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.step import Answer, Progress


class Listener(Protocol):
    """Who wants to see a run happen."""

    def happened(self, event: Event) -> None:
        """An event is in the journal."""

    def progressed(self, step: StepId, progress: Progress) -> None:
        """A running attempt tells how far it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run lives, and how long what it makes may."""

    run: RunId
    home: Path
    directory: Path
    journal: Path
    time_to_live: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of a run beside the states of its steps."""

    answers: Mapping[StepId, Answer]
    origins: Mapping[StepId, RunId]  # of steps whose outcome was taken over: the runs that have what they made
    cut_off: Mapping[StepId, str]  # steps with something outside whose attempt was cut off: its fingerprint
