"""Says what it means for an attempt that its worker has ended without a result."""

from __future__ import annotations

from rallyflow.engine.attempt import Result, failure
from rallyflow.engine.pool import SILENT, Died
from rallyflow.engine.vitals import patience
from rallyflow.errors import RallyflowError, TimedOut, WorkerDied, WorkerSilent
from rallyflow.model.plan import PlannedStep
from rallyflow.model.states import StepState
from rallyflow.units import format_duration


def result_of(died: Died, planned: PlannedStep, left: float | None) -> Result:
    """Return the result of an attempt whose worker has died; `left` is the time left for all attempts."""
    if died.ending == "cancelled":
        return Result(StepState.CANCELLED, reason="cancelled")
    return failure(_error(died, planned, left))


def _error(died: Died, planned: PlannedStep, left: float | None) -> RallyflowError:
    if died.ending == "timeout":
        return _timed_out(planned, left)
    if died.ending == SILENT:
        return WorkerSilent(
            f"the worker process gave no sign of life for {format_duration(patience())}, and was killed",
            hint="was it stopped, or the machine out of memory? RALLYFLOW_HEARTBEAT is how long it may be silent",
        )
    cause = f"signal {-died.exit_code}" if died.exit_code < 0 else f"exit code {died.exit_code}"
    return WorkerDied(f"the worker process ended without a result ({cause})", hint="was it killed, or out of memory?")


def _timed_out(planned: PlannedStep, left: float | None) -> TimedOut:
    if left is not None and left <= 0:
        what = f"the step took longer than its timeout of {format_duration(planned.deadline or 0)} in all"
    else:
        what = f"the attempt took longer than its timeout of {format_duration(planned.timeout or 0)}"
    return TimedOut(what, hint="raise `timeout:`, or look at the step's log for what it waited for")
