"""Follows a run that some process works on, through its journal alone: shows it as that process shows it itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rallyflow.cli.ending import exit_code, say_ending
from rallyflow.cli.live import EventLines, Lines
from rallyflow.cli.output import colour, say
from rallyflow.engine.answering import plan_as_it_went
from rallyflow.engine.locks import is_worked_on
from rallyflow.engine.session import Ending, read_plan, values_so_far
from rallyflow.engine.undo import NotRemoved
from rallyflow.errors import Exit, LeftBehind
from rallyflow.journal.event import Event
from rallyflow.journal.fold import PARTS_BOOKED, PARTS_DROPPED, RESOURCE_CREATED, RESOURCE_DELETED, RESOURCE_INTENDED
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.tail import Tail
from rallyflow.model.ids import RunId
from rallyflow.model.secret import MASK, Secret
from rallyflow.model.states import RunState
from rallyflow.model.step import Progress
from rallyflow.settings import Home

_BETWEEN = 0.05  # seconds between two looks at the journal
_PULSE = 0.5  # seconds between two looks at the process
_STILL = "it could not be removed"


class Following:
    """One run, and how far it has been shown."""

    def __init__(
        self, home: Home, reader: JournalReader, run: RunId, view: EventLines | Lines, *, after: int = 0
    ) -> None:
        """Name the run and who shows it, from the event behind number `after`; nothing has been shown yet."""
        self.run = run
        self._reader = reader
        self._directory = home.run(run)
        self._tail = Tail(reader, run, after)
        self._told = _Told()
        self._view = view
        self._state = RunState.RUNNING
        self._removed = False  # what the run made, at the end of its last session
        self._next_pulse = 0.0

    def show(self) -> bool:
        """Show what is new; returns whether more may come, because a process works on the run."""
        live = self._is_live()  # before the look: what a process wrote before its end is seen
        for found in self._tail.look():
            if not isinstance(found, Event):
                self._view.progressed(found.step, Progress(found.done, found.total, found.note))
                continue
            if not found.step:
                self._note(found)
            for event in self._told.of(found):
                self._view.happened(event)
        return live

    def follow(self) -> None:
        """Show all that happens until no process works on the run any more."""
        if self.show():
            with self._view.shown():
                while self.show():
                    time.sleep(_BETWEEN)

    def ended(self) -> Exit:
        """Say how a run has ended that no process works on, unless its events have; returns its exit code."""
        if self._state is RunState.RUNNING:
            if isinstance(self._view, EventLines):
                self._view.dead()
            else:
                _say_dead(self.run)
            return Exit.INTERRUPTED
        ending = self.ending()
        if not isinstance(self._view, EventLines):
            say_ending(ending)
        return exit_code(ending)

    def ending(self) -> Ending:
        """Return how the last session of the run has ended, as far as it has been shown."""
        steps = self._reader.steps(self.run)
        plan = read_plan(self._directory, self._reader.run(self.run).plan)
        plan = plan_as_it_went(plan, steps, self._reader.answers(self.run))
        hidden = dict.fromkeys(plan.secrets, Secret(MASK))
        outputs = values_so_far(plan, self.run, self._directory, hidden, steps).outputs()
        left = self._reader.resources(self.run) if self._removed else []
        return Ending(self.run, self._state, outputs, tuple(NotRemoved(each, LeftBehind(_STILL)) for each in left))

    def _note(self, event: Event) -> None:
        """Remember what an event says about the run as a whole."""
        if event.state:
            self._state = RunState(event.state)
        if event.kind in ("run_created", "run_resumed", "teardown"):
            self._removed = event.kind == "teardown"

    def _is_live(self) -> bool:
        now = time.monotonic()
        if self._state is RunState.RUNNING and now < self._next_pulse:
            return True
        self._next_pulse = now + _PULSE
        return is_worked_on(self._directory)


class _Told:
    """Turns what the journal has of a run into what its engine tells those who listen to it.

    What attempts book themselves is not told; of what is removed at the end of a run the kind and the name are.
    """

    _BOOKED = frozenset({RESOURCE_INTENDED, RESOURCE_CREATED, RESOURCE_DELETED, PARTS_BOOKED, PARTS_DROPPED})

    def __init__(self) -> None:
        self._names: dict[int, dict[str, str]] = {}
        self._removing = False

    def of(self, event: Event) -> Iterator[Event]:
        if event.kind == RESOURCE_INTENDED:
            self._names[event.body["id"]] = {"kind": event.body["kind"], "name": event.body["name"]}
        elif event.kind == RESOURCE_DELETED and self._removing:
            name = self._names.get(event.body["id"], {})
            yield Event("removed", event.run, event.step, event.attempt, time_ns=event.time_ns, body=name)
        elif event.kind not in self._BOOKED:
            if not event.step:
                self._removing = event.kind == "teardown"
            yield event


def _say_dead(run: RunId) -> None:
    say(f"run {run} is {colour('dead', 'red', 'bold')}: its process ended before the run did")
    say(f"{colour('next', 'cyan')}: rallyflow resume {run}   or   rallyflow destroy {run}")
