"""The event lines of `apply --json`, `resume --json` and `watch --json`: one JSON object a line, one model a type.

Version 1 promises that a key which is here keeps its meaning, and that no type goes away; types and keys may be added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Union, get_args

from pydantic import BaseModel, Field, TypeAdapter

from rallyflow.journal.event import Event
from rallyflow.model.states import StepState

VERSION = 1

Type = Field(description="What has happened")
State = Field(description="The state that it led to")
Params = Annotated[dict[str, Any], Field(description="Its params, by name")]
Provenance = Annotated[
    dict[str, Any], Field(description="Which rallyflow, which machine, which revision of the workflow")
]
Outputs = Annotated[dict[str, Any], Field(description="What later steps may refer to")]
Reason = Annotated[str, Field(description="Why; may be empty")]
Seconds = Annotated[float, Field(description="Seconds of the attempt, by a clock that nobody steps")]
Ended = Annotated[
    Literal["succeeded", "failed", "errored", "inconclusive", "cancelled", "interrupted", "paused"], State
]


class Line(BaseModel):
    """What every line has."""

    version: Literal[1] = Field(description="Of these models")
    time: datetime = Field(description="When it happened, UTC, ISO 8601")
    run: str = Field(description="The run's id; empty in an error that came before there was one")


class OfStep(Line):
    """What every line about a step has."""

    step: str = Field(description="The step's id, of a matrix or list with its cell: `boot[users=5]`")
    attempt: int = Field(description="The attempt that it is about, from 1; 0 before there was one")


class Problem(BaseModel):
    """Why a step could not be done."""

    code: str = Field(description="The stable code, which `rallyflow explain` explains")
    what: str = Field(description="What happened")
    hint: str = Field(description="What to do about it; may be empty")
    where: str = Field(description="The place that it is about; may be empty")
    kind: str = Field(description="The class of the error, as `retry.on` names them")


class Cell(BaseModel):
    """A step that a step with `foreach` has become."""

    id: str = Field(description="Its id: `boot[item=a]`")
    name: str = Field(description="The id of the step with `foreach`")
    uses: str = Field(description="Its step type")
    matrix: dict[str, Any] = Field(description="What `matrix` is in it, with its item")
    fingerprint: str = Field(description="Changes when what the step would do changes")


class RunCreated(Line):
    """A run is in the journal; nothing of it has started."""

    type: Annotated[Literal["run_created"], Type]
    state: Annotated[Literal["running"], State]
    name: str = Field(description="The name of its workflow")
    workflow: str = Field(description="The path of the workflow's file")
    params: Params
    provenance: Provenance
    parent: str = Field(description="The run that it is a rerun of; empty for none")
    plan: str = Field(description="The file in the run's folder that has its plan")
    parallel: int = Field(description="How many steps may run at a time")


class RunResumed(Line):
    """Another session of a run begins."""

    type: Annotated[Literal["run_resumed"], Type]
    state: Annotated[Literal["running"], State]
    parallel: int = Field(description="How many steps may run at a time")


class Replanned(Line):
    """The run goes on by the plan of an edited workflow."""

    type: Annotated[Literal["replanned"], Type]
    workflow: str = Field(description="The path of the workflow's file")
    params: Params
    provenance: Provenance
    plan: str = Field(description="The file in the run's folder that has its plan")


class StopAsked(Line):
    """The run was asked to end before its end."""

    type: Annotated[Literal["stop_asked"], Type]
    stage: Literal[1, 2] = Field(description="1: start nothing new, come to a safe point; 2: cancel, and undo")
    by: str = Field(description="The user who has asked by `rallyflow cancel`; empty where that is not known")
    signal: bool = Field(False, description="Whether it was Ctrl-C or a signal to the run's own process")


class Teardown(Line):
    """What the run made is about to be removed."""

    type: Annotated[Literal["teardown"], Type]
    resources: int = Field(description="How many objects")


class RunEnded(Line):
    """A session of the run has ended; an interrupted, paused, cancelled or errored run can be resumed."""

    type: Annotated[Literal["run_ended"], Type]
    state: Ended
    reason: Reason = ""


class RunDead(Line):
    """Only of `watch`: the process of the run ended before the run did."""

    type: Annotated[Literal["run_dead"], Type]


class Error(Line):
    """Why the command has failed."""

    type: Annotated[Literal["error"], Type]
    code: str = Field(description="The stable code, which `rallyflow explain` explains")
    what: str = Field(description="What happened")
    hint: str = Field(description="What to do about it; may be empty")
    where: str = Field(description="The place that it is about; may be empty")
    diagnostics: list[dict[str, Any]] = Field([], description="All errors of a workflow file, with their places")


class Waiting(OfStep):
    """A step could start, but waits for a lock that another run has."""

    type: Annotated[Literal["waiting"], Type]
    state: Annotated[Literal["ready"], State]
    reason: str = Field(description="Which lock, and who has it")


class Intent(OfStep):
    """An attempt of a step begins."""

    type: Annotated[Literal["intent"], Type]
    state: Annotated[Literal["running"], State]
    fingerprint: str = Field(description="Changes when what the step would do changes")


class Progressed(Line):
    """How far a running attempt is."""

    type: Annotated[Literal["progress"], Type]
    step: str = Field(description="The step's id")
    done: float = Field(description="How much of `total`")
    total: float = Field(description="0 where that is not known")
    note: str = Field(description="What it does just now; may be empty")
    left_s: float | None = Field(
        None, description="Only of `watch`: seconds until the whole run ends, from what steps took in earlier runs"
    )


class Outcome(OfStep):
    """An attempt of a step has ended."""

    type: Annotated[Literal["outcome"], Type]
    state: Ended
    reason: Reason
    took_s: Seconds
    cpu_s: float = Field(description="Seconds of processor time, with all processes that it started")
    memory_bytes: int = Field(0, description="The most memory that it held at a time; 0 for what runs in the engine")
    outputs: Outputs | None = Field(None, description="What later steps may refer to; none when it could not be done")
    error: Problem | None = Field(None, description="Why it could not be done")


class Retry(OfStep):
    """A step will be tried again."""

    type: Annotated[Literal["retry"], Type]
    state: Annotated[Literal["retrying"], State]
    reason: Reason
    delay_s: float = Field(description="Seconds until then")


class Expanded(OfStep):
    """A step with `foreach` has become steps."""

    type: Annotated[Literal["expanded"], Type]
    state: Annotated[Literal["succeeded"], State]
    took_s: Seconds
    outputs: Outputs
    cells: list[Cell] = Field(description="Those steps")


class Settled(OfStep):
    """A step gets a state without an attempt: skipped, cancelled, failed by an answer, planned anew."""

    type: Annotated[Literal["settled"], Type]
    state: Annotated[StepState, State]
    reason: Reason
    error: Problem | None = Field(None, description="Why it could not be done")


class Paused(OfStep):
    """A step waits for a person; `rallyflow approve` answers."""

    type: Annotated[Literal["paused"], Type]
    state: Annotated[Literal["paused"], State]
    reason: Reason = ""
    error: Problem | None = Field(None, description="Why it could not be done")


class Answered(OfStep):
    """A person has answered what a step asks."""

    type: Annotated[Literal["answered"], Type]
    approved: bool = Field(description="Whether the person agrees")
    values: dict[str, Any] = Field(description="What the person has filled in")
    by: str = Field(description="The user who has answered; empty where that is not known")


class Interrupted(OfStep):
    """An attempt was in flight when the engine of an earlier session ended."""

    type: Annotated[Literal["interrupted"], Type]
    state: Annotated[Literal["interrupted"], State]
    reason: Reason


class Reopened(OfStep):
    """A step that an earlier session left undone is planned again."""

    type: Annotated[Literal["reopened"], Type]
    state: Annotated[Literal["planned"], State]
    reason: str = Field("", description="Why a step runs again that was done")


class Revived(OfStep):
    """What a step of an earlier session left running answers, perhaps since it was woken."""

    type: Annotated[Literal["revived"], Type]
    state: Annotated[Literal["succeeded"], State]
    outputs: Outputs
    reason: str = Field("", description="What had to be started again; empty when nothing had to be")


class Unprobed(OfStep):
    """What a step of an earlier session left running could not be looked at, so that nothing goes on with it."""

    type: Annotated[Literal["unprobed"], Type]
    state: Annotated[Literal["succeeded"], State]
    reason: Reason
    error: Problem = Field(description="Why nobody could tell")


class Reused(OfStep):
    """A step is taken over from the run that this one is a rerun of."""

    type: Annotated[Literal["reused"], Type]
    state: Annotated[StepState, State]
    origin: str = Field(description="The run that did it")
    outputs: Outputs
    reason: Reason = ""
    error: Problem | None = Field(None, description="Why it could not be done")


class Removed(OfStep):
    """An object that a step made is gone."""

    type: Annotated[Literal["removed"], Type]
    kind: str = Field("", description="Such as `openstack.server`")
    name: str = Field("", description="As it is called outside")


class Forgotten(OfStep):
    """An object that could not be removed is struck off the ledger, since somebody asked for that."""

    type: Annotated[Literal["forgotten"], Type]
    kind: str = Field(description="Such as `openstack.server`")
    name: str = Field(description="As it is called outside")
    reason: Reason


MODELS: tuple[type[Line], ...] = (
    *(RunCreated, RunResumed, Replanned, Reused, Interrupted, Reopened, Revived, Unprobed, Waiting, Intent, Progressed),
    *(
        Outcome,
        Retry,
        Expanded,
        Settled,
        Paused,
        Answered,
        StopAsked,
        Teardown,
        Removed,
        Forgotten,
        RunEnded,
        RunDead,
        Error,
    ),
)
"""Every type of line, in about the order in which they come."""
TYPES = {get_args(model.model_fields["type"].annotation)[0]: model for model in MODELS}


def line_of(event: Event) -> dict[str, Any] | None:
    """Return the line of an event; None for those that are of no interest outside, such as what attempts book."""
    model = TYPES.get(event.kind)
    if model is None:
        return None
    step = {"step": event.step, "attempt": event.attempt} if event.step else {}
    state = {"state": event.state} if event.state else {}
    body = {name: value for name, value in event.body.items() if name in model.model_fields and value is not None}
    return line(event.kind, event.run, event.time_ns, {**step, **state, **_without_empty_errors(body)})


def line(kind: str, run: str, time_ns: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a type."""
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat()
    return {"version": VERSION, "type": kind, "time": moment, "run": run, **body}


def _without_empty_errors(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "error" or value}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a line."""
    union: Any = Union[MODELS]  # noqa: UP007 - of a tuple
    found = TypeAdapter(Annotated[union, Field(discriminator="type")]).json_schema()
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **found, "title": "rallyflow event line"}
