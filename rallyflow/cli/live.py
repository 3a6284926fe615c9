"""Shows a run while it happens: a live view on a terminal, plain lines elsewhere, event lines for programs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rallyflow import eventlines
from rallyflow.cli.output import colour, error_json, printable, say, show_error
from rallyflow.engine.messages import Stop
from rallyflow.errors import RallyflowError
from rallyflow.eventlines import line_of
from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.states import StepState
from rallyflow.model.step import Progress
from rallyflow.settings import Home
from rallyflow.units import format_duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rallyflow.cli.outlook import Outlook

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "errored": "red",
    "inconclusive": "yellow",
    "skipped": "dim",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "retrying": "yellow",
    "running": "blue",
    "paused": "yellow",
    "unprobed": "yellow",
}
SIGNS = {
    "succeeded": "✔",
    "failed": "✘",
    "errored": "✘",
    "inconclusive": "?",
    "skipped": "-",
    "retrying": "↻",
    "paused": "‖",
    "unprobed": "?",
}

_NOT_RUNNING = frozenset(state for state in StepState if state is not StepState.RUNNING)


class EventLines:
    """Prints every event as one JSON line on stdout, for programs, as rallyflow.eventlines has them."""

    def __init__(self, home: Home | None = None) -> None:
        """Start before the run has an id; progress comes with an outlook where the run's home is given."""
        self._run = RunId("")
        self._home = home
        self._outlook: Outlook | None = None

    def happened(self, event: Event) -> None:
        """Print an event."""
        self._run = event.run
        if self._home is not None:
            self._outlook = outlook_after(event, self._outlook, self._home)
        line = line_of(event)
        if line is not None:
            self.print(line)

    def progressed(self, step: StepId, progress: Progress) -> None:
        """Print progress."""
        left = {"left_s": self._outlook.seconds_left()} if self._outlook is not None else {}
        self._say("progress", {"step": step, **asdict(progress), **left})

    def failed(self, error: RallyflowError) -> None:
        """Print why the session ended, also for the person who reads stderr."""
        self._say("error", error_json(error))
        show_error(error)

    def dead(self) -> None:
        """Print that the process of the run has ended before the run did."""
        self._say("run_dead", {})

    def _say(self, kind: str, body: Mapping[str, Any]) -> None:
        self.print(eventlines.line(kind, self._run, time.time_ns(), body))

    def print(self, line: Mapping[str, Any]) -> None:
        """Print one line, at once."""
        print(json.dumps(line, default=str), flush=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Nothing needs to be set up."""
        yield

    def stopping(self, stop: Stop) -> None:
        """Stages of stopping arrive as events."""


class PersistentEventLines(EventLines):
    """Event lines of a run's own process: when nobody reads them any more, the run goes on all the same."""

    def print(self, line: Mapping[str, Any]) -> None:
        """Print one line, if it can be printed."""
        try:
            super().print(line)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            say(f"note: event lines can't be printed any more ({error.strerror}); the run goes on")


class Lines:
    """Prints a line for everything that a person wants to know, on stderr."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.started: dict[StepId, int] = {}
        self._stop = Stop.NO  # what `stopping` has told already

    def happened(self, event: Event) -> None:
        """Print an event, if it says something to a person."""
        text = self.describe(event)
        if text:
            self.print(text)

    def print(self, text: str) -> None:
        """Print one line."""
        say(text)

    def describe(self, event: Event) -> str:
        """Return a line about an event; empty when there is nothing to say."""
        if event.kind in ("answered", "stop_asked"):
            return _said(event) if event.body.get("stage", Stop.NOW) > self._stop else ""
        return self._of_step(event) if event.step else self._of_run(event)

    def _of_run(self, event: Event) -> str:
        match event.kind:
            case "run_created":
                return f"run {colour(event.run, 'bold')}"
            case "run_resumed":
                return f"resuming run {colour(event.run, 'bold')}"
            case "teardown":
                return f"removing {event.body['resources']} resource{'s' * (event.body['resources'] != 1)}"
        return ""

    def _of_step(self, event: Event) -> str:
        reason = event.body.get("reason", "")
        match event.kind:
            case "intent":
                self.started[event.step] = event.time_ns
            case "expanded":
                count = len(event.body["cells"])
                return self._line(event.state, event.step, f"{count} item{'s' * (count != 1)}")
            case "outcome":
                return self._outcome(event)
            case "revived":
                return self._line("succeeded", event.step, f"kept: {reason or 'still answers'}")
            case "settled" if event.state != StepState.SKIPPED:
                return f"  {event.step}: {reason}"
            case "settled" | "retry" | "interrupted" | "paused" | "waiting" | "unprobed":
                return self._line("unprobed" if event.kind == "unprobed" else event.state, event.step, reason)
        return ""

    def _outcome(self, event: Event) -> str:
        clock = (event.time_ns - self.started.get(event.step, event.time_ns)) / 1e9
        took = format_duration(event.body.get("took_s", clock))
        error = event.body.get("error") or {}
        note = f"{took}"
        if error:
            note = f"{took}  {error['code']} {error['what']}"
        elif event.body.get("reason"):
            note = f"{took}  {event.body['reason']}"
        return self._line(event.state, event.step, note)

    def _line(self, state: str, step: str, note: str) -> str:
        sign = colour(f"{SIGNS.get(state, '·')} {state:<12}", STYLES.get(state, "dim"))
        name = printable(step)
        return f"{sign} {name}  {colour(printable(note), 'dim')}" if note else f"{sign} {name}"

    def progressed(self, step: StepId, progress: Progress) -> None:
        """Plain lines do not show progress."""

    def failed(self, error: RallyflowError) -> None:
        """Say why the session ended."""
        show_error(error)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Nothing needs to be set up."""
        yield

    def stopping(self, stop: Stop) -> None:
        """Say what happens after Ctrl-C."""
        self._stop = stop
        if stop is Stop.SAFELY:
            self.print("stopping: steps come to a safe point (Ctrl-C again to cancel them and undo)")
        else:
            self.print("cancelling: what the run made will be removed (Ctrl-C again to leave at once)")


class LiveView(Lines):
    """Plain lines for what has ended, and below them a live view of what is running."""

    def __init__(self, home: Home) -> None:
        """Start with nothing running."""
        super().__init__()
        self._home = home
        self._outlook: Outlook | None = None
        from rich.console import Console
        from rich.live import Live

        self._running: dict[StepId, tuple[float, Progress]] = {}
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._render)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the live view inside the block."""
        with self._live:
            yield

    def print(self, text: str) -> None:
        """Print one line above the live view."""
        from rich.text import Text

        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def happened(self, event: Event) -> None:
        """Keep the view of what is running, then print."""
        if event.state == StepState.RUNNING and event.step:
            since = max(0.0, (time.time_ns() - event.time_ns) / 1e9)
            self._running[event.step] = (time.monotonic() - since, Progress())
        elif event.state in _NOT_RUNNING:
            self._running.pop(event.step, None)
        self._outlook = outlook_after(event, self._outlook, self._home)
        super().happened(event)

    def progressed(self, step: StepId, progress: Progress) -> None:
        """Remember how far a step is."""
        if step in self._running:
            self._running[step] = (self._running[step][0], progress)

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        for step, (since, progress) in list(self._running.items())[:12]:
            bar: Any = ProgressBar(progress.total or 1, progress.done, width=24) if progress.total else ""
            count = f"{progress.done:g}/{progress.total:g}" if progress.total else ""
            table.add_row(
                Spinner("dots"),
                Text(printable(step)),
                bar,
                count,
                Text(printable(progress.note)),
                format_duration(now - since),
            )
        if len(self._running) > 12:
            table.add_row("", f"and {len(self._running) - 12} more", "", "", "", "")
        left = self._outlook.seconds_left() if self._outlook is not None else None
        if left is None or left < 1:
            return table
        return Group(table, Text(f"about {format_duration(left)} left", style="dim"))


def _said(event: Event) -> str:
    """Return a line about what a person has said to the run."""
    who = "a signal" if event.body.get("signal") else printable(str(event.body.get("by") or "somebody"))
    if event.kind == "answered":
        return f"  {printable(event.step)}: {'approved' if event.body['approved'] else 'rejected'} by {who}"
    return f"{'cancelling' if event.body['stage'] > 1 else 'stopping'}: {who} has asked for it"


def outlook_after(event: Event, before: Outlook | None, home: Home) -> Outlook | None:
    """Return the outlook of the run that an event begins a session of; else the one that there is."""
    if event.kind not in ("run_created", "run_resumed"):
        return before
    from rallyflow.cli.outlook import Outlook

    if before is not None:
        before.close()
    return Outlook(home, event.run, int(event.body.get("parallel") or 1))


def listener(home: Home, *, as_json: bool) -> EventLines | Lines:
    """Return the listener that suits where the output of a run's own process goes."""
    if as_json:
        return PersistentEventLines()
    return LiveView(home) if sys.stderr.isatty() else Lines()
