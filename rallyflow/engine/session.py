"""A session of a run: from a plan, or from what the journal knows, to its end and the removal of what it made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rallyflow.engine.answering import answer_of, is_done, plan_as_it_went, runs_again, verdict, was_in_flight
from rallyflow.engine.attempt import describe
from rallyflow.engine.locks import RunLock, wait_for_the_dead
from rallyflow.engine.provenance import provenance
from rallyflow.engine.runner import Listener, Place, Runner
from rallyflow.engine.secrets import read_secrets
from rallyflow.engine.signals import Signals
from rallyflow.engine.undo import NotRemoved, undo
from rallyflow.engine.values import Values
from rallyflow.engine.view import View, new_view
from rallyflow.errors import InFlight, StorageError, UsageError
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal, guarded
from rallyflow.masking import Mask
from rallyflow.model.ids import RunId, StepId, new_run_id
from rallyflow.model.plan import Plan, PlannedStep, plan_from_json, plan_to_json
from rallyflow.model.records import Resource, RunRecord, StepRecord
from rallyflow.model.secret import Secret
from rallyflow.model.states import RunState, StepState
from rallyflow.model.step import Answer
from rallyflow.settings import RESULTS, Home

IN_FLIGHT = InFlight(
    "the engine ended while an attempt was in flight, and the step may not simply be repeated; run it again?",
    hint="find out whether it did its work; then `rallyflow approve`, or `rallyflow approve --reject`",
)
_OPEN_AFTER_DEATH = frozenset({StepState.RUNNING, StepState.RETRYING, StepState.REVIVING})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended."""

    run: RunId
    state: RunState
    outputs: Mapping[str, Any]
    left: tuple[NotRemoved, ...] = ()


class Session:
    """One run in the hands of this process."""

    def __init__(self, home: Home, run: RunId) -> None:
        """Name a run; nothing is opened or locked before a session is entered."""
        self.run = run
        self.place = Place(run, home.root, home.run(run), home.journal)
        self._lock = RunLock(self.place.directory)
        self.journal: Journal
        self.reader: JournalReader

    @contextmanager
    def entered(self) -> Iterator[Session]:
        """Be the engine of the run inside the block; RunLocked when another process is."""
        with guarded(self.place.directory):
            self._lock.take()
        try:
            self.journal = Journal(self.place.journal)
            self.reader = JournalReader(self.journal, self.place.home)
            try:
                yield self
            finally:
                self.journal.close()
        finally:
            self._lock.release()

    def execute(self, plan: Plan, view: View, values: Values, listener: Listener, signals: Signals) -> Ending:
        """Run what is left of a plan, then remove what the run made if the workflow says so."""
        answers = self.reader.answers(self.run)
        state = Runner(view, values, self.journal, self.place, listener, signals, answers).run()
        left = self.close(plan, state, listener)
        return Ending(self.run, state, Mask(values.secrets).data(values.outputs()), tuple(left))

    def close(self, plan: Plan, state: RunState, listener: Listener) -> list[NotRemoved]:
        """Remove what the run made if its workflow says so, and book its end; returns what could not be removed."""
        left = self.tear_down(listener) if _tears_down(plan.teardown, state) else []
        self._record(Event("run_ended", self.run, state=state), listener)
        self._keep_history()
        return left

    def _keep_history(self) -> None:
        """Bring the run as it is now into results.duckdb; what can't be ingested now is caught up with later."""
        parts = self.reader.parts(self.run)
        if parts:
            from rallyflow.results.history import ingest

            ingest(self.place.home / RESULTS, [self.reader.run(self.run)], self.reader.steps(self.run), parts)

    def tear_down(self, listener: Listener) -> list[NotRemoved]:
        """Remove everything that the run made and that is still booked; returns what could not be removed."""
        resources = self.reader.resources(self.run)
        if not resources:
            return []
        self._record(Event("teardown", self.run, body={"resources": len(resources)}), listener)

        def removed(resource: Resource) -> None:
            body = {"kind": resource.kind, "name": resource.name}
            self._record(Event("removed", self.run, resource.step, resource.attempt, body=body), listener, fold=False)

        return undo(self.journal, resources, removed)

    def _record(self, event: Event, listener: Listener, *, fold: bool = True) -> None:
        event = replace(event, time_ns=time.time_ns())
        if fold:
            self.journal.record([event])
        listener.happened(event)


def begin(
    home: Home, plan: Plan, workflow_text: bytes, *, workers: int, listener: Listener, signals: Signals
) -> Ending:
    """Start a run of a plan and see it through.

    Raises UsageError for missing secrets, StorageError or DiskFull when the home can't be written.
    """
    secrets = read_secrets(plan.secrets, base=Path(plan.file).absolute().parent)
    run = new_run_id()
    session = Session(home, run)
    with guarded(home.root):
        _prepare(home, session.place.directory, plan, workflow_text)
    with session.entered():
        record = RunRecord(
            id=run,
            name=plan.name,
            state=RunState.RUNNING,
            workflow=Path(plan.file).absolute(),
            created_ns=time.time_ns(),
            params=plan.params,
            provenance=provenance(workflow_text),
        )
        listener.happened(session.journal.create_run(record, plan, workers=workers))
        values = values_so_far(plan, run, session.place.directory, secrets)
        return session.execute(plan, new_view(plan, workers=workers), values, listener, signals)


def resume(home: Home, run: RunId, *, workers: int, listener: Listener, signals: Signals) -> Ending:
    """Go on with a run where its journal says that it stopped, and see it through.

    Raises RunLocked while another process works on it, UsageError when it has nothing left to do.
    """
    session = Session(home, run)
    if not session.place.directory.is_dir():
        raise UsageError(f"the folder of run {run} is gone: {session.place.directory}", hint="it can't be resumed")
    with session.entered():
        wait_for_the_dead(session.place.directory)
        record = session.reader.run(run)
        secrets = read_secrets((plan := read_plan(session.place.directory)).secrets, base=record.workflow.parent)
        answers = session.reader.answers(run)
        plan = plan_as_it_went(plan, session.reader.steps(run), answers)
        _check_resumable(record, plan, session.reader.steps(run))
        _reopen(session, plan, answers, listener, workers)
        steps = session.reader.steps(run)
        values = values_so_far(plan, run, session.place.directory, secrets, steps)
        return session.execute(plan, resumed_view(plan, steps, workers), values, listener, signals)


def destroy(home: Home, run: RunId, listener: Listener) -> tuple[int, list[NotRemoved]]:
    """Remove everything that a run made; returns how many objects were booked and what is still there.

    Raises RunLocked while another process works on the run.
    """
    session = Session(home, run)
    with guarded(home.root):
        session.place.directory.mkdir(parents=True, exist_ok=True)
    with session.entered():
        wait_for_the_dead(session.place.directory)
        count = len(session.reader.resources(run))
        left = session.tear_down(listener)
        if session.reader.run(run).state is RunState.RUNNING:
            session.journal.record(
                [
                    Event(
                        "run_ended",
                        run,
                        state=RunState.INTERRUPTED,
                        time_ns=time.time_ns(),
                        body={"reason": "destroyed"},
                    )
                ]
            )
        return count, left


def resumed_view(plan: Plan, steps: list[StepRecord], workers: int) -> View:
    """Return the view of a run that goes on: finished steps stay finished, those that left something are probed."""
    planned = {step.id: step for step in plan.steps}
    done = {step.id: step.state for step in steps if is_done(planned[step.id], step.state)}
    needed = _ancestors_of_open(plan, done)
    return new_view(
        plan,
        workers=workers,
        done=done,
        attempts={step.id: step.attempt for step in steps},
        paused=frozenset(step.id for step in steps if was_in_flight(step)),
        revive=frozenset(
            step.id
            for step in plan.steps
            if step.revivable and step.id in needed and done.get(step.id) is StepState.SUCCEEDED
        ),
    )


def read_plan(directory: Path) -> Plan:
    """Return the plan that a run was started with; StorageError when it can't be read."""
    try:
        return plan_from_json(json.loads((directory / "plan.json").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # also of an older rallyflow
        raise StorageError(
            f"the plan of the run can't be read: {directory / 'plan.json'}: {error}",
            hint="start a new run with `rallyflow apply`; `rallyflow destroy` still works",
        ) from error


def _ancestors_of_open(plan: Plan, done: Mapping[StepId, StepState]) -> set[StepId]:
    by_id = {step.id: step for step in plan.steps}
    todo = [step.id for step in plan.steps if step.id not in done]
    found: set[StepId] = set()
    while todo:
        for need in by_id[todo.pop()].needs:
            for step in plan.groups.get(need, (StepId(need),)):
                if step not in found:
                    found.add(step)
                    todo.append(step)
    return found


def _check_resumable(run: RunRecord, plan: Plan, steps: list[StepRecord]) -> None:
    planned = {step.id: step for step in plan.steps}
    if run.state is not RunState.RUNNING and all(is_done(planned[step.id], step.state) for step in steps):
        raise UsageError(
            f"run {run.id} has {run.state}: there is nothing to resume",
            hint=f"look at it with `rallyflow show {run.id}`, or start anew with `rallyflow apply`",
        )


def _reopen(session: Session, plan: Plan, answers: Mapping[StepId, Answer], listener: Listener, workers: int) -> None:
    """Book that the run goes on, which attempts were in flight, and that unfinished steps are planned again."""
    now = time.time_ns()
    resumed = Event("run_resumed", session.run, state=RunState.RUNNING, time_ns=now, body={"parallel": workers})
    events = [resumed]
    planned = {step.id: step for step in plan.steps}
    for step in session.reader.steps(session.run):
        events += [replace(event, time_ns=now) for event in _reopened(planned[step.id], step, answer_of(step, answers))]
    session.journal.record(events)
    for event in events:
        listener.happened(event)


def _reopened(planned: PlannedStep, step: StepRecord, answer: Answer | None) -> Iterator[Event]:
    """Give what happens to a step when its run goes on."""

    def event(kind: str, state: StepState, body: Mapping[str, Any]) -> Event:
        return Event(kind, step.run, step.id, step.attempt, state, body=body)

    if step.state in _OPEN_AFTER_DEATH:
        yield event("interrupted", StepState.INTERRUPTED, {"reason": "in flight when the engine ended"})
        if planned.ask and step.state is StepState.RUNNING:
            yield event("paused", StepState.PAUSED, {"reason": IN_FLIGHT.what, "error": describe(IN_FLIGHT)})
            return
    if was_in_flight(step) and answer is None:
        return
    if step.state is StepState.PAUSED and answer is not None and not runs_again(step, answer):
        yield event("settled", StepState.FAILED, {"reason": verdict(step, answer), "error": step.error})
    elif not is_done(planned, step.state) and step.state is not StepState.PLANNED:
        yield event("reopened", StepState.PLANNED, {})


def _tears_down(teardown: str, state: RunState) -> bool:
    if teardown == "never" or state in (RunState.INTERRUPTED, RunState.PAUSED):
        return False
    return teardown == "always" or state in (RunState.SUCCEEDED, RunState.CANCELLED)


def values_so_far(
    plan: Plan, run: RunId, directory: Path, secrets: Mapping[str, Secret], steps: Sequence[StepRecord] = ()
) -> Values:
    """Return what expressions see in a run of which these steps have been journalled."""
    values = Values(plan, {"id": run, "name": plan.name, "directory": str(directory)}, secrets)
    for step in steps:
        if step.state.final:
            values.put(step.id, step.outputs)
    return values


def _prepare(home: Home, directory: Path, plan: Plan, workflow_text: bytes) -> None:
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(parents=True)
    write_durably(directory / "workflow.yaml", workflow_text)
    write_durably(directory / "plan.json", json.dumps(plan_to_json(plan), default=str).encode())


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there, also after a power failure."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
