"""Says why a step is as it is: what it waited for, how its attempts went, what kept it back, what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rallyflow.engine.changes import changes
from rallyflow.journal.attempts import attempts_of
from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import Attempt, StepRecord
from rallyflow.model.states import StepState


@dataclass(frozen=True, slots=True)
class Other:
    """A plan to compare a step with: one from before, or one that the run may go by later."""

    name: str  # in words
    plan: Plan
    later: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between a step and the same one in another plan; nothing when the outcome would count there."""

    with_: str  # what it is compared with, in words
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a step is as it is."""

    step: StepRecord
    condition: str
    needs: tuple[StepRecord, ...]
    because: tuple[str, ...]  # from what is next to it to where it began
    attempts: tuple[Attempt, ...]
    comparisons: tuple[Comparison, ...]
    origin: RunId | None


def reasons(
    step: StepRecord,
    plan: Plan,
    records: Sequence[StepRecord],
    events: Sequence[Event],
    others: Sequence[Other],
) -> Reasons:
    """Return why a step of a run is as it is.

    `plan` is that of the run as it went, `events` are those of the step.
    """
    by_id = {record.id: record for record in records}
    planned = plan.step(step.id)
    return Reasons(
        step,
        planned.condition,
        tuple(by_id[need] for need in (*needs_of(planned, plan), *planned.after) if need in by_id),
        tuple(_because(step, plan, by_id)),
        tuple(attempts_of(events)),
        tuple(_comparisons(planned, others)),
        step.origin,
    )


def needs_of(planned: PlannedStep, plan: Plan) -> Iterator[StepId]:
    """Give the steps that a step waits for."""
    for need in dict.fromkeys((*planned.needs, *([planned.gate] if planned.gate else []))):
        yield from plan.groups.get(need, (StepId(need),))


def _because(step: StepRecord, plan: Plan, records: Mapping[StepId, StepRecord]) -> Iterator[str]:
    """Give what kept a step back, down to the step where it began."""
    seen = {step.id}
    while step.state is StepState.SKIPPED or step.state is StepState.PLANNED:
        before = [records[need] for need in needs_of(plan.step(step.id), plan) if need in records]
        guilty = next((each for each in before if each.id not in seen and _keeps_back(each)), None)
        if guilty is None:
            return
        seen.add(guilty.id)
        yield f"{guilty.id} {_has(guilty)}" + (f": {_what(guilty)}" if _what(guilty) else "")
        step = guilty


def _keeps_back(step: StepRecord) -> bool:
    return step.state is not StepState.SUCCEEDED


def _has(step: StepRecord) -> str:
    waits = {StepState.PLANNED: "has not begun", StepState.READY: "waits", StepState.RUNNING: "is running"}
    return waits.get(step.state, f"{'is' if step.state is StepState.PAUSED else 'was'} {step.state}")


def _what(step: StepRecord) -> str:
    return f"{step.error['code']} {step.error['what']}" if step.error else step.reason


def _comparisons(planned: PlannedStep, others: Sequence[Other]) -> Iterator[Comparison]:
    for other in others:
        found = next((step for step in other.plan.steps if step.id == planned.id), None)
        if found is None:
            yield Comparison(other.name, ("it is not there",))
        elif found.fingerprint == planned.fingerprint:
            yield Comparison(other.name, ())
        else:
            different = changes(planned, found) if other.later else changes(found, planned)
            yield Comparison(other.name, tuple(str(change) for change in different))
