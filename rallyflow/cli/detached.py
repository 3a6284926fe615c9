"""Runs a session in a process of its own that no terminal can end, and is back as soon as the run has begun.

That process is a fork of this one, with the plan that has just been found to be good and with all of its secrets. Until
the run is in the journal it prints to where this process prints; after that, to a log in the run's folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rallyflow.cli.ending import run_session
from rallyflow.cli.live import EventLines, Lines
from rallyflow.cli.output import colour, print_json, say
from rallyflow.engine.session import Ending
from rallyflow.engine.signals import Signals
from rallyflow.errors import Exit, InternalError, RallyflowError
from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId
from rallyflow.settings import Home

LOG = "detached.log"


def run_anywhere(
    home: Home, start: Callable[[Any, Signals], Ending], *, workers: int, as_json: bool, detach: bool
) -> Exit:
    """Run a session here, or in a process of its own; returns the exit code of this process."""
    run = _run_detached if detach else run_session
    return run(home, start, workers=workers, as_json=as_json)


def _run_detached(home: Home, start: Callable[[Any, Signals], Ending], *, workers: int, as_json: bool) -> Exit:
    """Run a session in a process of its own; returns in both processes, in each with its own exit code.

    Here that is as soon as the run is in the journal, or its process has ended without getting there, with its error
    shown. No connection to a journal may be open: SQLite does not survive a fork.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setsid()
        _replace(0, os.open(os.devnull, os.O_RDONLY))
        view = _FromAfar(home, writing, as_json=as_json)
        return run_session(home, start, workers=workers, as_json=False, view=view)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        run = RunId(pipe.read())
    if not run:
        return _exit_of(child)
    _say(run, child, home.run(run) / LOG, as_json=as_json)
    return Exit.OK


def _exit_of(child: int) -> Exit:
    """Return the exit code of a process that has printed why the run could not begin."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        raise InternalError(f"signal {-code} has ended the process of the run before it began", hint="out of memory?")
    return Exit(code)


def _say(run: RunId, process: int, log: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"run": run, "process": process, "log": log})
    else:
        print(run)
    say(f"run {run} goes on in process {process}, and prints to {log}")
    say(f"{colour('next', 'cyan')}: rallyflow watch {run}   or   rallyflow cancel {run}")


class _FromAfar(Lines):
    """Prints lines to where the process was started from, until the run has begun, and then to its log."""

    def __init__(self, home: Home, pipe: int, *, as_json: bool) -> None:
        super().__init__()
        self._home = home
        self._pipe = pipe
        self._as_json = as_json

    def happened(self, event: Event) -> None:
        """Let go of the terminal at the first event, then print it."""
        if self._pipe >= 0:
            self._let_go(event.run)
        super().happened(event)

    def failed(self, error: RallyflowError) -> None:
        """Say why the run could not begin, as data where that is wanted; or why it ended, in the log."""
        if self._as_json and self._pipe >= 0:
            EventLines().failed(error)
        else:
            super().failed(error)

    def _let_go(self, run: RunId) -> None:
        with suppress(OSError):
            sys.stdout.flush()
        log = os.open(self._home.run(run) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        _replace(2, log)
        os.write(self._pipe, run.encode())
        os.close(self._pipe)
        self._pipe = -1


def _replace(descriptor: int, by: int) -> None:
    """Let a descriptor be what another one is, which is closed."""
    os.dup2(by, descriptor)
    os.close(by)
