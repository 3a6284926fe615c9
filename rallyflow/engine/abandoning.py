"""Cancels a run that no process works on: one that was interrupted, has paused, or whose process has died."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rallyflow.engine.control import STOP_ASKED
from rallyflow.engine.locks import wait_for_the_dead
from rallyflow.engine.messages import Stop
from rallyflow.engine.session import Ending, Session, read_plan
from rallyflow.engine.surroundings import Listener
from rallyflow.errors import UsageError
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import guarded
from rallyflow.model.ids import RunId
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.settings import Home

OPEN = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.INTERRUPTED})
"""The states of a run that has not come to its end."""


def abandon(home: Home, run: RunId, listener: Listener, *, by: str) -> Ending:
    """Cancel the open steps of a run, and remove what it made unless its workflow never does.

    Raises RunLocked while a process works on the run, and UsageError when it has ended already.
    """
    session = Session(home, run)
    with guarded(home.root):
        session.place.directory.mkdir(parents=True, exist_ok=True)
    with session.entered():
        wait_for_the_dead(session.place.directory)
        record = session.reader.run(run)
        check_open(record)
        plan = read_plan(session.place.directory, record.plan)
        session.book(list(_cancelled(session.reader, run, by)), listener)
        left = session.close(plan, RunState.CANCELLED, listener)
        return Ending(run, RunState.CANCELLED, {}, tuple(left))


def check_open(run: RunRecord) -> None:
    """Raise UsageError when a run has come to its end."""
    if run.state not in OPEN:
        raise UsageError(
            f"run {run.id} has {run.state} already: there is nothing to cancel",
            hint=f"remove what it made: rallyflow destroy {run.id}",
        )


def _cancelled(reader: JournalReader, run: RunId, by: str) -> Iterator[Event]:
    now = time.time_ns()
    yield Event(STOP_ASKED, run, time_ns=now, body={"stage": int(Stop.NOW), "by": by})
    for step in reader.steps(run):
        if not step.state.ended or step.state is StepState.PAUSED:
            body = {"reason": "the run was cancelled"}
            yield Event("settled", run, step.id, step.attempt, StepState.CANCELLED, now, body)
