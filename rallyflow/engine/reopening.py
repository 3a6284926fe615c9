"""What happens to the steps of a run when it goes on: as events, for the journal and for who looks on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rallyflow.engine.answering import answer_of, runs_again, standing, verdict, was_in_flight
from rallyflow.engine.attempt import describe
from rallyflow.engine.reuse import Reuse
from rallyflow.errors import InFlight
from rallyflow.journal.event import Event
from rallyflow.journal.fold import PARTS_DROPPED, planned_row
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import Part, StepRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.model.step import Answer

IN_FLIGHT = InFlight(
    "the engine ended while an attempt was in flight, and the step may not simply be repeated; run it again?",
    hint="find out whether it did its work; then `rallyflow approve`, or `rallyflow approve --reject`",
)
_OPEN_AFTER_DEATH = frozenset({StepState.RUNNING, StepState.RETRYING, StepState.REVIVING})


def reopened(
    run: RunId, plan: Plan, steps: Sequence[StepRecord], answers: Mapping[StepId, Answer], workers: int
) -> list[Event]:
    """Return that a run goes on, which attempts were in flight, and that unfinished steps are planned again."""
    planned, stand = {step.id: step for step in plan.steps}, standing(plan, steps)
    events = [_resumed(run, workers)]
    for step in steps:
        events.extend(_reopened(planned[step.id], step, answer_of(step, answers), stays=step.id in stand))
    return _now(events)


def given_up(run: RunId, steps: Sequence[StepRecord]) -> list[Event]:
    """Return that a run whose engine died has ended, for now, since what it made is removed."""
    events = [_cut_off(step) for step in steps if step.state in _OPEN_AFTER_DEATH]
    return _now([*events, Event("run_ended", run, state=RunState.INTERRUPTED, body={"reason": "destroyed"})])


def as_they_stand(steps: Sequence[StepRecord], events: Sequence[Event]) -> list[StepRecord]:
    """Return the records of steps after what `reopened` gave, as the journal has them then."""
    last = {event.step: event for event in events if event.step}
    return [
        replace(step, state=StepState(last[step.id].state), error=last[step.id].body.get("error", {}))
        if step.id in last
        else step
        for step in steps
    ]


def _reopened(planned: PlannedStep, step: StepRecord, answer: Answer | None, *, stays: bool) -> Iterator[Event]:
    if step.state in _OPEN_AFTER_DEATH:
        yield _cut_off(step)
    yield from _planned_again(planned, step, answer, stays=stays)


def _planned_again(
    planned: PlannedStep, step: StepRecord, answer: Answer | None, *, stays: bool = False, why: str = ""
) -> Iterator[Event]:
    """Give that a step which is as it was runs again, unless it has ended or that is for a person to say."""
    if planned.ask and step.state is StepState.RUNNING:
        yield _event(step, "paused", StepState.PAUSED, {"reason": IN_FLIGHT.what, "error": describe(IN_FLIGHT)})
        return
    if was_in_flight(step) and answer is None:
        return
    if step.state is StepState.PAUSED and answer is not None and not runs_again(step, answer):
        yield _event(step, "settled", StepState.FAILED, {"reason": verdict(step, answer), "error": step.error})
    elif not stays and step.state is not StepState.PLANNED:
        yield _event(step, "reopened", StepState.PLANNED, {"reason": why} if why else {})


def replanned(
    run: RunId,
    reuse: Reuse,
    steps: Sequence[StepRecord],
    answers: Mapping[StepId, Answer],
    parts: Sequence[Part],
    body: Mapping[str, Any],
    workers: int,
) -> list[Event]:
    """Return that a run goes on with another plan; `body` says where that is, and of which workflow.

    What has changed forgets what it measured, and what a person has said about it: those iterations are of another
    experiment, and that answer is to another question.
    """
    events = [_resumed(run, workers)]
    events += [_cut_off(step) for step in steps if step.state in _OPEN_AFTER_DEATH]
    events.append(Event("replanned", run, body={**body, "steps": _rows(reuse.plan)}))
    decisions = reuse.decisions
    planned = {step.id: step for step in reuse.plan.steps}
    for step in steps:
        if step.id not in decisions or decisions[step.id].stays:
            continue
        why = decisions[step.id].why
        if not decisions[step.id].anew:
            events += _planned_again(planned[step.id], step, answer_of(step, answers), why=why)
        elif step.state is not StepState.PLANNED:
            events.append(_event(step, "reopened", StepState.PLANNED, {"reason": why, "anew": True}))
    forgotten = [step for step in steps if step.id not in decisions or decisions[step.id].anew]
    for step in forgotten:
        paths = [part.path for part in parts if part.step == step.id]
        if paths:
            events.append(_event(step, PARTS_DROPPED, None, {"parts": [str(path) for path in paths]}))
    return _now(events)


def taken_over(run: RunId, reuse: Reuse, answers: Mapping[StepId, Answer]) -> list[Event]:
    """Return that a new run has the outcomes of an earlier one for the steps that are kept.

    With them it has what persons have decided about failures, the `answers` of the earlier run.
    """
    events = []
    for record in (*reuse.kept, *reuse.skipped):
        body = {
            "origin": record.origin or record.run,
            "outputs": record.outputs,
            "reason": record.reason,
            "error": record.error,
        }
        events.append(Event("reused", run, record.id, state=record.state, body=body))
        answer = answers.get(record.id)
        if record.id in reuse.decided and answer is not None:
            said = {"approved": answer.approved, "values": answer.values, "by": answer.by}
            events.append(Event("answered", run, record.id, body=said))
    return _now(events)


def _rows(plan: Plan) -> list[tuple[Any, ...]]:
    """Return what the journal has of each step of a plan; those of a foreach step stand at its position."""
    rows: list[tuple[Any, ...]] = []
    parents = {cell: name for name, cells in plan.groups.items() for cell in cells}
    foreach = {step.id for step in plan.steps if step.foreach is not None}
    position, cell = -1, 0
    for step in plan.steps:
        inside = step.id not in foreach and parents.get(step.id) in foreach
        position, cell = (position, cell + 1) if inside else (position + 1, 0)
        rows.append(planned_row(step, position, cell))
    return rows


def _resumed(run: RunId, workers: int) -> Event:
    return Event("run_resumed", run, state=RunState.RUNNING, body={"parallel": workers})


def _cut_off(step: StepRecord) -> Event:
    if step.state is StepState.RETRYING:  # what its last attempt ended with stays in sight
        body = {"reason": "waited to be tried again when the engine ended", "error": step.error}
        return _event(step, "interrupted", StepState.INTERRUPTED, body)
    return _event(step, "interrupted", StepState.INTERRUPTED, {"reason": "in flight when the engine ended"})


def _event(step: StepRecord, kind: str, state: StepState | None, body: Mapping[str, Any]) -> Event:
    return Event(kind, step.run, step.id, step.attempt, state or "", body=body)


def _now(events: Sequence[Event]) -> list[Event]:
    now = time.time_ns()
    return [replace(event, time_ns=now) for event in events]
