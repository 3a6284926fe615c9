"""What installing and driving a verifier needs: a step's context has it, and a command line has it too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from threading import Event
from typing import Protocol

from rallyflow.model.secret import Secret
from rallyflow.model.step import Progress


class Workplace(Protocol):
    """Where a verifier is installed and driven from."""

    @property
    def directory(self) -> Path:
        """The folder that its processes act for: of the run."""

    @property
    def log(self) -> Logger:
        """Where it says what it does."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What nobody may read."""

    @property
    def stop(self) -> Event:
        """Set when it should end soon."""

    @property
    def report(self) -> Callable[[Progress], None]:
        """Tells how far it is."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The workplace of a command line."""

    directory: Path
    log: Logger
    secrets: tuple[Secret, ...] = ()
    stop: Event = field(default_factory=Event)
    report: Callable[[Progress], None] = lambda _progress: None
