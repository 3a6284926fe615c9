"""Steps that could start, but for a lock that a step of another run has."""

from __future__ import annotations

from collections.abc import Mapping

from rallyflow.journal.leases import Lease, Leases
from rallyflow.model.ids import StepId
from rallyflow.model.plan import PlannedStep


class Locks:
    """The locks of one session, and who of its steps waits for one."""

    def __init__(self, leases: Leases) -> None:
        """Begin with nobody waiting."""
        self._leases = leases
        self._waiting: dict[StepId, int] = {}

    def take(self, planned: PlannedStep, attempt: int) -> Lease | None:
        """Take what an attempt has to hold; returns who has it when that is another run, and lets the step wait."""
        other = self._leases.take(planned.id, planned.locks) if planned.locks else None
        if other is not None:
            self._waiting[planned.id] = attempt
        return other

    def served(self, position: Mapping[StepId, float], steps: Mapping[StepId, PlannedStep]) -> list[tuple[StepId, int]]:
        """Return the steps, with their attempts, that have got their locks now, in the plan's order."""
        waiting = sorted(self._waiting, key=position.__getitem__)
        got = [step for step in waiting if self._leases.take(step, steps[step].locks) is None]
        return [(step, self._waiting.pop(step)) for step in got]

    def leave(self, step: StepId) -> bool:
        """Let a step wait no longer; returns whether it did."""
        waited = self._waiting.pop(step, None) is not None
        if waited:
            self.release(step)
        return waited

    def release(self, step: StepId) -> None:
        """Give back what an attempt held."""
        self._leases.release(step)

    def renew(self) -> None:
        """Say that the owner is still there."""
        self._leases.renew()
