"""Kills or stops rallyflow on purpose, at an exact event of the journal: how tests prove that nothing is lost.

Off unless RALLYFLOW_FAULT is set, to `WHAT:EVENT`. EVENT is the number of an event in the journal, or `KIND@STEP`, the
first event of a kind that is about a step, or `KIND@STEP#2`, the second.

    kill:17          SIGKILL for the engine, and whoever wrote it, when event 17 is on the disk
    kill-before:17   the same just before it would be: the call that it is about has not happened, or nobody knows
    kill-worker:17   SIGKILL for the process that wrote it, when that is not the engine
    stop:17          SIGSTOP for the engine; whoever set the fault has to wake it again
    stop-worker:17   SIGSTOP for the process that wrote it, when that is not the engine
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId


@dataclass(slots=True)
class Fault:
    """What is to happen, and at which event."""

    what: str
    number: int = 0  # of the event; 0: the event is known by its kind and its step
    kind: str = ""
    step: str = ""
    count: int = 1  # the how manieth of its kind and step it is, in all processes together
    run: RunId | None = None  # set once the event is part of an open transaction

    def strikes_at(self, number: int, event: Event, connection: sqlite3.Connection) -> bool:
        """Whether an event, which has just been added, is the one."""
        if self.number:
            return number == self.number
        if (event.kind, event.step) != (self.kind, self.step):
            return False
        alike = "SELECT count(*) FROM event WHERE run = ? AND step = ? AND kind = ?"
        return bool(connection.execute(alike, (event.run, event.step, event.kind)).fetchone()[0] == self.count)


def read(text: str) -> Fault | None:
    """Return the fault of a text such as `kill:17`; None for what is none."""
    what, _, event = text.partition(":")
    if event.isdigit():
        return Fault(what, int(event))
    place, _, count = event.partition("#")
    kind, at, step = place.partition("@")
    return Fault(what, kind=kind, step=step, count=int(count or 1)) if at else None


FAULT = read(os.environ.get("RALLYFLOW_FAULT", ""))


def appended(number: int, event: Event, connection: sqlite3.Connection) -> None:
    """Take note of an event of the transaction that is open."""
    if FAULT is not None and FAULT.run is None and FAULT.strikes_at(number, event, connection):
        FAULT.run = event.run


def committing(home: Path) -> None:
    """Strike, if that is wanted, when the transaction that is about to be committed has the event."""
    if FAULT is not None and FAULT.run is not None and FAULT.what == "kill-before":
        _strike(FAULT, home)


def committed(home: Path) -> None:
    """Strike when the transaction that has just been committed had the event."""
    global FAULT
    if FAULT is not None and FAULT.run is not None:
        fault, FAULT = FAULT, None
        _strike(fault, home)


def _strike(fault: Fault, home: Path) -> None:
    engine = _engine(home, fault.run or RunId(""))
    number = signal.SIGSTOP if fault.what.startswith("stop") else signal.SIGKILL
    if fault.what.endswith("-worker"):
        if os.getpid() != engine:
            os.kill(os.getpid(), number)
        return
    os.kill(engine, number)
    if number is signal.SIGKILL:
        os.kill(os.getpid(), number)


def _engine(home: Path, run: RunId) -> int:
    """Return the process that works on a run, as its lock file says."""
    return int(json.loads((home / "runs" / run / "engine.lock").read_text(encoding="utf-8"))["pid"])
