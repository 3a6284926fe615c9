"""Kills or stops rallyflow on purpose, at an exact event of the journal: how tests prove that nothing is lost.

Off unless RALLYFLOW_FAULT is set, to `WHAT:EVENT` where EVENT is the number of an event in the journal:

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
from dataclasses import dataclass
from pathlib import Path

from rallyflow.model.ids import RunId


@dataclass(slots=True)
class Fault:
    """What is to happen, and at which event."""

    what: str
    event: int
    run: RunId | None = None  # set once the event is part of an open transaction


def _given() -> Fault | None:
    what, colon, event = os.environ.get("RALLYFLOW_FAULT", "").partition(":")
    return Fault(what, int(event)) if colon and event.isdigit() else None


FAULT = _given()


def appended(event: int, run: RunId) -> None:
    """Take note of an event of the transaction that is open."""
    if FAULT is not None and event == FAULT.event:
        FAULT.run = run


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
