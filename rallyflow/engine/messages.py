"""What the core of the engine is told, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rallyflow.errors import ErrorClass
from rallyflow.model.ids import StepId
from rallyflow.model.plan import PlannedStep
from rallyflow.model.states import RunState, StepState


class Stop(IntEnum):
    """How urgently a run is to end."""

    NO = 0
    SAFELY = 1  # start nothing new, bring attempts to a safe point
    NOW = 2  # cancel attempts


@dataclass(frozen=True, slots=True)
class Begin:
    """The run starts, or goes on."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The condition of a step was evaluated."""

    step: StepId
    holds: bool
    reason: str = ""
    broken: bool = False  # it has no value, although all that it names has one


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt has ended."""

    step: StepId
    state: StepState
    error: ErrorClass | None = None
    reason: str = ""
    last: bool = False  # no time is left for another attempt


@dataclass(frozen=True, slots=True)
class Expanded:
    """A foreach step has become steps."""

    step: StepId
    cells: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True)
class Revived:
    """What a finished step left running was probed; None when nobody could tell whether it is alive."""

    step: StepId
    alive: bool | None


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The delay before a step's next attempt is over."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Answered:
    """A person has answered what a paused step asks."""

    step: StepId
    failed: PlannedStep | None = None  # the step with what its failure means now; None: it runs again
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person, or the machine, asks the run to end."""

    stop: Stop


Event = Begin | Judged | Ended | Expanded | Revived | RetryDue | Answered | StopAsked


@dataclass(frozen=True, slots=True)
class Judge:
    """Evaluate the condition of a step, and come back with Judged."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Start:
    """Book the intent of an attempt, then run it."""

    step: StepId
    attempt: int


@dataclass(frozen=True, slots=True)
class Revive:
    """Probe what a finished step left running, and come back with Revived."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Leave:
    """Book that nobody could tell whether what a finished step made is alive: the next session probes it again."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Settle:
    """Book a state that no attempt led to: skipped, cancelled, planned again."""

    step: StepId
    state: StepState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Book that a step which has failed waits for the answer of a person."""

    step: StepId


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait as the step's retry policy says, and come back with RetryDue."""

    step: StepId
    failed_attempt: int


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the attempt of a step: ask it to come to a safe point, or end it."""

    step: StepId
    stop: Stop


@dataclass(frozen=True, slots=True)
class Finish:
    """Every step has ended; this is how the run ended."""

    state: RunState


Command = Judge | Start | Revive | Leave | Settle | Pause | Delay | Halt | Finish
