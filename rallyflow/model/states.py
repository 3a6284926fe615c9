"""The states of a step and of a run, and every transition that is allowed between them."""

from __future__ import annotations

from enum import StrEnum


class StepState(StrEnum):
    """Where a step stands. The first five are open; the others end the step for this session of the run."""

    PLANNED = "planned"  # waits for the steps that it needs
    READY = "ready"  # could start; waits for a worker or a lock
    RUNNING = "running"  # an attempt is in flight: its intent is booked, its outcome is not
    RETRYING = "retrying"  # the last attempt ended with an error; the next waits for its delay
    REVIVING = "reviving"  # finished in an earlier session; what it made is probed before it is used again
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # could be measured, and is bad: an SLA missed, a test failed
    ERRORED = "errored"  # could not be done
    INCONCLUSIVE = "inconclusive"  # ran, but can't be trusted
    SKIPPED = "skipped"  # its condition is false, or a step that it needs did not succeed
    CANCELLED = "cancelled"  # stopped by a person before its end
    INTERRUPTED = "interrupted"  # was in flight when its engine stopped or died
    PAUSED = "paused"  # waits for the answer of a person; what needs it waits as well

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the step unless the run is resumed."""
        return self not in _OPEN

    @property
    def final(self) -> bool:
        """Whether `resume` leaves the step as it is: it was done, whatever came out."""
        return self in _FINAL


_OPEN = frozenset({StepState.PLANNED, StepState.READY, StepState.RUNNING, StepState.RETRYING, StepState.REVIVING})
_FINAL = frozenset({StepState.SUCCEEDED, StepState.FAILED, StepState.INCONCLUSIVE})

TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    StepState.PLANNED: frozenset(
        {
            StepState.READY,
            StepState.SKIPPED,
            StepState.CANCELLED,
            StepState.ERRORED,  # its condition has no value
        }
    ),
    StepState.READY: frozenset(
        {
            StepState.RUNNING,
            StepState.SKIPPED,
            StepState.CANCELLED,
            StepState.ERRORED,
            StepState.INTERRUPTED,  # waited for a lock when the run was stopped
            StepState.PLANNED,  # by `resume`, when it waited for a lock as its engine died
        }
    ),
    StepState.RUNNING: frozenset(
        {
            StepState.SUCCEEDED,
            StepState.FAILED,
            StepState.ERRORED,
            StepState.INCONCLUSIVE,
            StepState.RETRYING,  # the error's class is one that the retry policy names
            StepState.CANCELLED,
            StepState.INTERRUPTED,  # found in flight by `resume`, or stopped at a safe point
            StepState.PAUSED,  # asks a person, or failed with `on_failure: pause`
        }
    ),
    StepState.RETRYING: frozenset({StepState.READY, StepState.CANCELLED, StepState.INTERRUPTED}),
    StepState.REVIVING: frozenset({StepState.SUCCEEDED, StepState.PLANNED, StepState.ERRORED, StepState.CANCELLED}),
    StepState.SUCCEEDED: frozenset(
        {
            StepState.REVIVING,  # on resume, when a later step uses what it made
            StepState.PLANNED,  # on resume, when what it needs runs again
        }
    ),
    StepState.FAILED: frozenset({StepState.PLANNED}),  # the rest only by `resume`; these two with `on_failure: pause`
    StepState.INCONCLUSIVE: frozenset({StepState.PLANNED}),
    StepState.ERRORED: frozenset({StepState.PLANNED}),
    StepState.SKIPPED: frozenset({StepState.PLANNED}),
    StepState.CANCELLED: frozenset({StepState.PLANNED}),
    StepState.INTERRUPTED: frozenset({StepState.PLANNED}),
    StepState.PAUSED: frozenset(
        {
            StepState.PLANNED,  # by `resume`: tried again
            StepState.FAILED,  # by `resume`: left as it is
            StepState.CANCELLED,  # nobody will answer any more
        }
    ),
}
"""Every state with the states that may follow it."""


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    INCONCLUSIVE = "inconclusive"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    PAUSED = "paused"  # nothing is left to do before a person has answered


class ResourceState(StrEnum):
    """Where an object outside of rallyflow stands in the ledger."""

    INTENT = "intent"  # booked before the call that makes it: it may or may not exist
    CREATED = "created"  # the call answered: it exists
    DELETED = "deleted"  # removed, or found to be gone
