"""What the journal is made of: events, each of which happened to a run, or to a step of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rallyflow.model.ids import RunId, StepId

_NO_STEP = StepId("")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run (step is empty) or to a step, and the state that it led to.

    An event without a state leaves the state of its run or step as it is.
    """

    kind: str
    run: RunId
    step: StepId = _NO_STEP
    attempt: int = 0
    state: str = ""
    time_ns: int = 0  # since the epoch, UTC
    body: Mapping[str, Any] = field(default_factory=dict)
