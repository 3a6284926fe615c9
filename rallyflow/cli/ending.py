"""What apply and resume do in common: run a session, say how it ended, name the next command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from rallyflow.cli import asking
from rallyflow.cli.live import STYLES, EventLines, Lines, listener
from rallyflow.cli.options import open_reader
from rallyflow.cli.output import colour, say, show_error
from rallyflow.cli.tracing import Traced
from rallyflow.engine.session import Ending, resume
from rallyflow.engine.signals import LeaveNow, Signals
from rallyflow.errors import Exit, JournalGone, LeftBehind, RallyflowError, StorageError
from rallyflow.journal.event import Event
from rallyflow.journal.filesystem import network_filesystem
from rallyflow.model.ids import RunId
from rallyflow.model.states import RunState
from rallyflow.settings import Home

EXITS = {
    RunState.SUCCEEDED: Exit.OK,
    RunState.FAILED: Exit.FAILED,
    RunState.ERRORED: Exit.ERRORED,
    RunState.INCONCLUSIVE: Exit.INCONCLUSIVE,
    RunState.CANCELLED: Exit.INTERRUPTED,
    RunState.INTERRUPTED: Exit.INTERRUPTED,
    RunState.PAUSED: Exit.PAUSED,
}


class _Remembering:
    """Passes everything on, and remembers the run's id for messages; `begun` is called with it once there is one."""

    def __init__(self, inner: EventLines | Lines, begun: Callable[[RunId], None]) -> None:
        self.inner = inner
        self.run = RunId("")
        self._begun = begun

    def happened(self, event: Event) -> None:
        if not self.run:
            self.run = event.run
            self._begun(event.run)
        self.inner.happened(event)

    def progressed(self, step: Any, progress: Any) -> None:
        self.inner.progressed(step, progress)


def run_session(
    home: Home,
    start: Callable[[Any, Signals], Ending],
    *,
    workers: int,
    as_json: bool,
    view: EventLines | Lines | None = None,
) -> Exit:
    """Run a session, and go on when somebody at the terminal has answered what it waits for; returns the exit code.

    It is shown as suits where the output goes, unless there is a view already.
    """
    kind = network_filesystem(home.root)
    if kind:
        say(f"note: {home.root} is on a network file system ({kind}): the journal does without a log, and is slower")
    code = _run_session(home, view or listener(home, as_json=as_json), start, as_json=as_json)
    while isinstance(code, Ending):
        run = code.run
        reader = open_reader(home)
        if not asking.ask_all(reader, home, run):
            return Exit.PAUSED

        def again(listener: Any, signals: Signals, run: RunId = run) -> Ending:
            return resume(home, run, workers=workers, listener=listener, signals=signals)

        code = _run_session(home, listener(home, as_json=as_json), again, as_json=as_json)
    return code


def _run_session(
    home: Home, inner: EventLines | Lines, start: Callable[[Any, Signals], Ending], *, as_json: bool
) -> Exit | Ending:
    """Run a session under signal handling and a live view; returns how it ended when somebody can answer now."""
    traced = Traced(home)
    watching = _Remembering(inner, traced.begin)
    signals = Signals(inner.stopping)
    try:
        with signals.installed(), inner.shown(), traced:
            ending = start(watching, signals)
    except LeaveNow:
        _leave(watching.run)
    except RallyflowError as error:
        inner.failed(error)
        if watching.run and isinstance(error, StorageError) and not isinstance(error, JournalGone):
            say(f"then: rallyflow resume {watching.run}")
        return error.exit_code
    if not as_json:
        say_ending(ending)
        if ending.state is RunState.PAUSED and asking.can_ask():
            return ending
    return exit_code(ending)


def exit_code(ending: Ending) -> Exit:
    """Return the exit code of a process whose session ended so."""
    code = EXITS[ending.state]
    return Exit.LEFT_BEHIND if ending.left and code is Exit.OK else code


def say_ending(ending: Ending) -> None:
    """Say how a session ended, and what to type next."""
    style = STYLES.get(ending.state, "bold")
    say(f"run {ending.run} {colour(ending.state, style, 'bold')}")
    for name, value in ending.outputs.items():
        say(f"  {name}: {value}")
    if ending.left:
        say_left(ending)
    next_command = {
        RunState.SUCCEEDED: f"rallyflow show {ending.run}",
        RunState.FAILED: f"rallyflow show {ending.run}",
        RunState.INCONCLUSIVE: f"rallyflow show {ending.run}",
        RunState.ERRORED: f"rallyflow logs {ending.run}   then   rallyflow resume {ending.run}",
        RunState.INTERRUPTED: f"rallyflow resume {ending.run}   or   rallyflow destroy {ending.run}",
        RunState.CANCELLED: f"rallyflow resume {ending.run}   or   rallyflow destroy {ending.run}",
        RunState.PAUSED: f"rallyflow approve {ending.run}   and then   rallyflow resume {ending.run}",
    }[ending.state]
    say(f"{colour('next', 'cyan')}: {next_command}")


def say_left(ending: Ending) -> None:
    """Say what could not be removed."""
    for each in ending.left:
        say(f"  {colour('left', 'red')}: {each.resource.kind} {each.resource.name}: {each.error.what}")
    show_error(
        LeftBehind(
            f"{len(ending.left)} resources could not be removed",
            hint=f"try again: rallyflow destroy {ending.run}",
        )
    )


def _leave(run: RunId) -> None:
    say(f"\nleft run {run} as it is\n  go on:   rallyflow resume {run}\n  undo it: rallyflow destroy {run}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os._exit(Exit.INTERRUPTED)
