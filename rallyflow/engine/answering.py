"""What the answer of a person means for a step that has paused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rallyflow.errors import InFlight
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import StepRecord
from rallyflow.model.states import StepState
from rallyflow.model.step import Answer

APPROVE = "approve"
"""The step type whose whole work is to ask a person: its answer is its outcome."""


def answer_of(step: StepRecord, answers: Mapping[StepId, Answer]) -> Answer | None:
    """Return the answer to what a step asks; None when there is none yet.

    What an attempt has led to, a failure or that it was cut off, is asked about anew after each attempt. The answer
    to `uses: approve` is for the attempt that comes after the one that asked.
    """
    answer = answers.get(step.id)
    if answer is None or (step.uses != APPROVE and answer.attempt != step.attempt):
        return None
    return answer


def was_in_flight(step: StepRecord) -> bool:
    """Whether a step has paused because it was cut off in the middle, and must not simply be repeated."""
    return step.state is StepState.PAUSED and step.error.get("code") == InFlight.code


def runs_again(step: StepRecord, answer: Answer) -> bool:
    """Whether a paused step runs again, now that it has an answer; else it has failed, and the answer is about that."""
    return step.uses == APPROVE or (was_in_flight(step) and answer.approved)


def verdict(step: StepRecord, answer: Answer) -> str:
    """Return a text that says how a step has failed, and what a person thinks of it."""
    what = str(step.error.get("what", "")) or step.reason or "it failed"
    who = f" by {answer.by}" if answer.by else ""
    return f"{what} ({'accepted' if answer.approved else 'not accepted'}{who})"


def with_answer(step: PlannedStep, answer: Answer | None) -> PlannedStep:
    """Return a step that pauses when it fails as one for which a person has decided what its failure means."""
    if step.on_failure != "pause" or answer is None:
        return step
    return replace(step, on_failure="continue" if answer.approved else "stop")


def plan_as_it_went(plan: Plan, steps: Sequence[StepRecord], answers: Mapping[StepId, Answer]) -> Plan:
    """Return a plan with what only the run knew: the steps of foreach steps, failures that a person has accepted."""
    records = {step.id: step for step in steps}
    for planned in plan.steps:
        record = records.get(planned.id)
        if planned.foreach is not None and record is not None and record.state is StepState.SUCCEEDED:
            plan = plan.expanded(planned, record.outputs["items"])
    return as_decided(plan, steps, answers)


def as_decided(plan: Plan, steps: Sequence[StepRecord], answers: Mapping[StepId, Answer]) -> Plan:
    """Return a plan with what persons have decided about failures of its steps."""
    records = {step.id: step for step in steps}
    return replace(plan, steps=tuple(_as_decided(step, records.get(step.id), answers) for step in plan.steps))


def _as_decided(planned: PlannedStep, record: StepRecord | None, answers: Mapping[StepId, Answer]) -> PlannedStep:
    """Return a step with what a person has decided about its failure; that it may run again is no such decision."""
    answer = answer_of(record, answers) if record is not None else None
    if record is not None and answer is not None and was_in_flight(record) and answer.approved:
        return planned
    return with_answer(planned, answer)


def is_done(step: PlannedStep, state: StepState) -> bool:
    """Whether a step stays as an earlier session left it; a failure that nobody has decided about does not."""
    return state is StepState.SUCCEEDED or (state.final and step.on_failure != "pause")


def done_steps(plan: Plan, steps: Sequence[StepRecord]) -> dict[StepId, StepState]:
    """Return the steps that are done and stay so when a run goes on, with their states; see `standing`."""
    return {step: state for step, state in standing(plan, steps).items() if state is not StepState.SKIPPED}


def standing(plan: Plan, steps: Sequence[StepRecord]) -> dict[StepId, StepState]:
    """Return the steps that stay as an earlier session left them, with their states.

    Those are done, and so is what they need. One that ran although something before it could not be done (`always()`,
    `on_failure: continue`) runs again when that does: a report, for example. What was skipped by its own condition
    stays skipped, though it is asked again. A foreach step stays, since its steps do, and so does what was taken over
    from another run, since that was somebody's choice.
    """
    records = {step.id: step for step in steps}
    stand: dict[StepId, StepState] = {}
    known: dict[str, bool] = {}  # a need that many steps share may be a group of many
    for planned in plan.steps:
        record = records.get(planned.id)
        if record is None:
            continue
        if not is_done(planned, record.state) and record.state is not StepState.SKIPPED:
            continue
        stays = planned.foreach is not None or record.origin is not None
        if stays or all(_stands(need, plan, records, stand, known) for need in planned.needs):
            stand[planned.id] = record.state
    return stand


def _stands(
    need: str,
    plan: Plan,
    records: Mapping[StepId, StepRecord],
    stand: Mapping[StepId, StepState],
    known: dict[str, bool],
) -> bool:
    """Whether a step, or all cells of one, will not run again; all of them come before who needs them."""
    if need not in known:
        cells = plan.groups.get(need, ())
        parts = (*cells, StepId(need)) if StepId(need) in records else cells
        known[need] = all(step in stand for step in parts)
    return known[need]
