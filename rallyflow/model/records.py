"""What the journal remembers, as readers see it: runs, steps, attempts, resources and parts of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.states import ResourceState, RunState, StepState


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run. Times are nanoseconds since the epoch, UTC; `ended_ns` is 0 while it is open."""

    id: RunId
    name: str
    state: RunState
    workflow: Path
    created_ns: int
    ended_ns: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sessions: int = 1  # one, and one more for each resume
    parent: RunId | None = None  # the run that it is a rerun of
    plan: str = "plan.json"  # the file in its folder that has the plan it goes by


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of a run, as its last event left it. `attempt` counts from 1; 0 is a step that never started."""

    run: RunId
    id: StepId
    name: str  # the key in the file: cells of one matrix share it
    uses: str
    state: StepState
    attempt: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    matrix: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)  # code, what, hint, kind
    reason: str = ""  # why it is skipped, failed, inconclusive, ...
    took_ns: int = 0  # of the last attempt, by a clock that nobody steps; 0 while it is open
    cpu_s: float = 0.0  # of the last attempt and the processes that it started
    memory_bytes: int = 0  # the most that one process of the last attempt had at a time; 0 when inline
    origin: RunId | None = None  # the run that its outputs were taken over from
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a step. `took_s` is None while it is in flight, and when its engine died."""

    run: RunId
    step: StepId
    number: int  # from 1
    started_ns: int
    state: StepState
    took_s: float | None = None
    reason: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)  # code, what, hint, kind
    again: str = ""  # what followed it: a retry, or a resume
    cpu_s: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """An object outside of rallyflow that a step made, or was about to make, in the ledger.

    `kind` is `handler.type` (`openstack.server`): the handler is a plugin of the group `rallyflow.resources`.
    `inside` is the id of the resource that contains it (a server in a cloud): with that one it is gone as well.
    """

    id: int
    run: RunId
    step: StepId
    attempt: int
    kind: str
    name: str
    state: ResourceState
    external_id: str = ""
    inside: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)  # what the handler needs to find it; never a secret
    created_ns: int = 0
    expires_ns: int = 0  # when `rallyflow cleanup --expired` removes it; 0 is never


@dataclass(frozen=True, slots=True)
class Part:
    """An immutable Parquet file of one table, which counts because the journal has it."""

    run: RunId
    step: StepId
    attempt: int
    table: str
    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the attempt of a step is, and what it uses, with all of its processes."""

    step: StepId
    attempt: int
    done: float
    total: float  # 0 is unknown
    note: str
    cpu_s: float
    memory_bytes: int
    heard_ns: int  # since the epoch, UTC
