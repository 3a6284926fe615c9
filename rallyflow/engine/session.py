"""A session of a run: from a plan, or from what the journal knows, to its end and the removal of what it made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rallyflow.engine.answering import done_steps, plan_as_it_went, standing, was_in_flight
from rallyflow.engine.locks import RunLock, wait_for_the_dead
from rallyflow.engine.provenance import provenance
from rallyflow.engine.reopening import as_they_stand, given_up, reopened
from rallyflow.engine.runner import Runner
from rallyflow.engine.secrets import read_secrets
from rallyflow.engine.signals import Signals
from rallyflow.engine.surroundings import Known, Listener, Place
from rallyflow.engine.undo import NotRemoved, undo, with_contents
from rallyflow.engine.values import Values
from rallyflow.engine.view import View, new_view
from rallyflow.errors import JournalGone, StorageError, UsageError
from rallyflow.journal.books import mark_deleted
from rallyflow.journal.event import Event
from rallyflow.journal.fold import storable
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal, guarded
from rallyflow.masking import Mask
from rallyflow.model.ids import RunId, StepId, new_run_id
from rallyflow.model.plan import Plan, plan_from_json, plan_to_json
from rallyflow.model.records import Resource, RunRecord, StepRecord
from rallyflow.model.secret import Secret
from rallyflow.model.states import RunState, StepState
from rallyflow.settings import RESULTS, Home

FIRST_PLAN = "plan.json"


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
        """Run what is left of a plan, then remove what the run made if the workflow says so.

        Raises NotProbed when nobody could tell of something that was made before whether it is still there.
        """
        reader, run = self.reader, self.run
        known = Known(reader.answers(run), reader.origins(run), reader.cut_off(run))
        place = replace(self.place, time_to_live=plan.ttl)
        try:
            runner = Runner(view, values, self.journal, place, listener, signals, known)
            state = runner.run()
        except JournalGone:  # nobody else will ever know what the run made
            self.tear_down(listener)
            raise
        left = self.close(plan, state, listener)
        if runner.unprobed is not None:
            raise runner.unprobed
        return Ending(run, state, Mask(values.secrets).data(values.outputs()), tuple(left))

    def close(self, plan: Plan, state: RunState, listener: Listener) -> list[NotRemoved]:
        """Remove what the run made if its workflow says so, and book its end; returns what could not be removed."""
        left = self.tear_down(listener) if _tears_down(plan.teardown, state) else []
        self._record(Event("run_ended", self.run, state=state), listener)
        self._keep_history()
        return left

    def go_on(
        self,
        plan: Plan,
        steps: Sequence[StepRecord],
        secrets: Mapping[str, Secret],
        workers: int,
        listener: Listener,
        signals: Signals,
        kept: frozenset[StepId] = frozenset(),
    ) -> Ending:
        """Run what is not done of a plan, of whose steps the journal has these records; see `resumed_view`."""
        values = values_so_far(plan, self.run, self.place.directory, secrets, steps)
        return self.execute(plan, resumed_view(plan, steps, workers, kept), values, listener, signals)

    def book(self, events: Sequence[Event], listener: Listener) -> None:
        """Put events into the journal, all or none, and let the listener see them."""
        self.journal.record(events)
        for event in events:
            listener.happened(event)

    def _keep_history(self) -> None:
        """Bring the run as it is now into results.duckdb; what can't be ingested now is caught up with later."""
        parts = self.reader.parts(self.run)
        if parts:
            from rallyflow.results.history import ingest

            ingest(self.place.home / RESULTS, [self.reader.run(self.run)], self.reader.steps(self.run), parts)

    def tear_down(self, listener: Listener, only: Callable[[Resource], bool] = lambda _: True) -> list[NotRemoved]:
        """Remove everything that the run made and that is still booked; returns what could not be removed."""
        resources = with_contents(self.reader.resources(self.run), only)
        if not resources:
            return []
        self._record(Event("teardown", self.run, body={"resources": len(resources)}), listener)

        def removed(resource: Resource) -> None:
            body = {"kind": resource.kind, "name": resource.name}
            self._record(Event("removed", self.run, resource.step, resource.attempt, body=body), listener, fold=False)

        return undo(self.journal, resources, removed)

    def forget(self, left: Sequence[NotRemoved]) -> None:
        """Strike what could not be removed, with what is inside of it, off the ledger; the journal keeps why."""
        why = {each.resource.id: each.error.what for each in left}
        given_up = with_contents(self.reader.resources(self.run), lambda resource: resource.id in why)
        for resource in given_up:
            body = {"kind": resource.kind, "name": resource.name, "reason": why.get(resource.id, "inside of another")}
            event = Event("forgotten", self.run, resource.step, resource.attempt, body=body, time_ns=time.time_ns())
            self.journal.record([event])
        mark_deleted(self.journal, given_up)

    def _record(self, event: Event, listener: Listener, *, fold: bool = True) -> None:
        event = replace(event, time_ns=time.time_ns())
        if fold:
            self.journal.record([event])
        listener.happened(event)


def begin(
    home: Home, plan: Plan, workflow_text: bytes, *, workers: int, listener: Listener, signals: Signals
) -> Ending:
    """Start a run of a plan and see it through.

    Raises UsageError for missing secrets and a path that is not UTF-8, StorageError or DiskFull when the home can't
    be written.
    """
    secrets = read_secrets(plan.secrets, base=Path(plan.file).absolute().parent)
    run = new_run_id()
    record = new_record(run, plan, workflow_text)
    session = Session(home, run)
    with guarded(home.root):
        prepare(home, session.place.directory, plan, workflow_text)
    with session.entered():
        listener.happened(session.journal.create_run(record, plan, workers=workers))
        values = values_so_far(plan, run, session.place.directory, secrets)
        return session.execute(plan, new_view(plan, workers=workers), values, listener, signals)


def resume(home: Home, run: RunId, *, workers: int, listener: Listener, signals: Signals) -> Ending:
    """Go on with a run where its journal says that it stopped, and see it through.

    Of a run that is over and keeps what it made, that is brought back to life. Raises RunLocked while another process
    works on it, UsageError when it has nothing left to do, NotProbed when what it made can't be looked at.
    """
    session = Session(home, run)
    if not session.place.directory.is_dir():
        raise UsageError(f"the folder of run {run} is gone: {session.place.directory}", hint="it can't be resumed")
    with session.entered():
        wait_for_the_dead(session.place.directory)
        record, steps, answers = session.reader.run(run), session.reader.steps(run), session.reader.answers(run)
        plan = read_plan(session.place.directory, record.plan)
        secrets = read_secrets(plan.secrets, base=record.workflow.parent)
        plan = plan_as_it_went(plan, steps, answers)
        kept = _kept(record, plan, steps, session.reader.resources(run))
        if not kept:
            _check_resumable(record, plan, steps)
        with borrowed(home, run, plan, steps):
            events = reopened(run, plan, steps, answers, workers)
            session.book(events, listener)
            return session.go_on(plan, as_they_stand(steps, events), secrets, workers, listener, signals, kept)


def destroy(
    home: Home,
    run: RunId,
    listener: Listener,
    only: Callable[[Resource], bool] = lambda _: True,
    *,
    forget: bool = False,
) -> tuple[int, list[NotRemoved]]:
    """Remove everything that a run made; returns how many objects were booked and what could not be removed.

    `only` chooses among it; what is inside of a chosen object goes with it. What can't be removed stays in the ledger,
    unless somebody wants to `forget` it. Raises RunLocked while another process works on the run.
    """
    session = Session(home, run)
    with guarded(home.root):
        session.place.directory.mkdir(parents=True, exist_ok=True)
    with session.entered():
        wait_for_the_dead(session.place.directory)
        count = len(with_contents(session.reader.resources(run), only))
        left = session.tear_down(listener, only)
        if forget:
            session.forget(left)
        if session.reader.run(run).state is RunState.RUNNING:
            session.journal.record(given_up(run, session.reader.steps(run)))
        return count, left


def resumed_view(plan: Plan, steps: Sequence[StepRecord], workers: int, kept: frozenset[StepId] = frozenset()) -> View:
    """Return the view of a run that goes on: finished steps stay finished, those that left something are probed.

    That is, those that open steps use, and the `kept` ones.
    """
    return new_view(
        plan,
        workers=workers,
        done=done_steps(plan, steps),
        attempts={step.id: step.attempt for step in steps},
        paused=frozenset(step.id for step in steps if was_in_flight(step)),
        revive=_to_revive(plan, steps) | kept,
    )


def _to_revive(plan: Plan, steps: Sequence[StepRecord]) -> frozenset[StepId]:
    """Return the finished steps that left something which open ones use: those need them, or what they stand on does.

    What only passes values on, such as the gate of a workflow, is looked through; a benchmark that is done is not.
    """
    done = done_steps(plan, steps)
    by_id = {step.id: step for step in plan.steps}
    todo = [step.id for step in plan.steps if step.id not in done]
    found: set[StepId] = set()
    looked_at: set[str] = set()  # a need that many steps share may be a group of many
    while todo:
        needs = set(by_id[todo.pop()].needs) - looked_at
        looked_at |= needs
        for step in (step for need in needs for step in plan.groups.get(need, (StepId(need),))):
            planned = by_id[step]
            if step in done and step not in found and (planned.revivable or planned.inline):
                found.add(step)
                todo.append(step)
    return frozenset(step for step in found if by_id[step].revivable and done[step] is StepState.SUCCEEDED)


@contextmanager
def borrowed(home: Home, run: RunId, plan: Plan, steps: Sequence[StepRecord]) -> Iterator[None]:
    """Let a run use, inside the block, what other runs left running for steps that were taken over from them.

    Meanwhile nobody can resume, destroy or use those runs. RunLocked when somebody does already.
    """
    revived = _to_revive(plan, steps)
    origins = {step.origin for step in steps if step.origin is not None and step.id in revived}
    with ExitStack() as stack:
        for origin in sorted(origins):
            if home.run(origin).is_dir():
                lock = RunLock(home.run(origin))
                lock.take(run)
                stack.callback(lock.release)
        yield


def new_record(run: RunId, plan: Plan, workflow_text: bytes, parent: RunId | None = None) -> RunRecord:
    """Return the record of a run that begins now; UsageError for a workflow whose path can't be kept in it."""
    workflow = Path(plan.file).absolute()
    if storable(str(workflow)) != str(workflow):
        raise UsageError(
            f"the path {storable(str(workflow))} is not UTF-8, and can't be kept in the journal",
            hint="give the folder another name, or copy the workflow to another one",
        )
    return RunRecord(
        id=run,
        name=plan.name,
        state=RunState.RUNNING,
        workflow=workflow,
        created_ns=time.time_ns(),
        params=plan.params,
        provenance=provenance(workflow_text),
        parent=parent,
    )


def read_plan(directory: Path, name: str = FIRST_PLAN) -> Plan:
    """Return the plan that a run goes by; StorageError when it can't be read."""
    try:
        return plan_from_json(json.loads((directory / name).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # also of an older rallyflow
        raise StorageError(
            f"the plan of the run can't be read: {directory / name}: {error}",
            hint="start a new run with `rallyflow apply`; `rallyflow destroy` still works",
        ) from error


def _kept(run: RunRecord, plan: Plan, steps: Sequence[StepRecord], resources: Sequence[Resource]) -> frozenset[StepId]:
    """Return the steps of a run that is over whose work it was to keep, and that has something outside."""
    if not _is_over(run, plan, steps) or _tears_down(plan.teardown, run.state):
        return frozenset()
    revivable = {step.id for step in plan.steps if step.revivable}
    done = {step.id for step in steps if step.state is StepState.SUCCEEDED and step.origin is None}
    return frozenset(done & revivable & {resource.step for resource in resources if resource.step})


def _is_over(run: RunRecord, plan: Plan, steps: Sequence[StepRecord]) -> bool:
    return run.state is not RunState.RUNNING and len(standing(plan, steps)) == len(steps)


def _check_resumable(run: RunRecord, plan: Plan, steps: Sequence[StepRecord]) -> None:
    if _is_over(run, plan, steps):
        raise UsageError(
            f"run {run.id} has {run.state}: there is nothing to resume",
            hint=f"look at it with `rallyflow show {run.id}`, or run a part of it again with `rallyflow rerun`",
        )


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


def prepare(home: Home, directory: Path, plan: Plan, workflow_text: bytes) -> None:
    """Make the folder of a new run, with its plan and the text of its workflow."""
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(parents=True)
    write_plan(directory, plan, workflow_text)


def write_plan(directory: Path, plan: Plan, workflow_text: bytes) -> str:
    """Write a plan into the folder of a run, beside those that it had before; returns the name of its file."""
    number = len(plan_files(directory)) + 1
    suffix = f"-{number}" if number > 1 else ""
    write_durably(directory / f"workflow{suffix}.yaml", workflow_text)
    write_durably(directory / f"plan{suffix}.json", json.dumps(plan_to_json(plan), default=str).encode())
    return f"plan{suffix}.json"


def plan_files(directory: Path) -> list[str]:
    """Return the names of the plans that a run has gone by, oldest first."""
    later = sorted(directory.glob("plan-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
    return [path.name for path in (directory / FIRST_PLAN, *later) if path.exists()]


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there, also after a power failure."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
