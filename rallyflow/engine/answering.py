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
