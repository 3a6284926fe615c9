"""Hears what other processes ask of a live run through its journal: to stop, or to take the answer of a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rallyflow.engine.messages import Stop
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import StepRecord
from rallyflow.model.step import Answer

STOP_ASKED = "stop_asked"
"""The kind of event by which another process asks a run to end: its body has the `stage`, 1 or 2, and `by`.

One that the engine books itself, because it got a signal, has `signal`.
"""
_REQUESTS = frozenset({STOP_ASKED, "answered"})


class Control:
    """The requests that came since it was last asked."""

    def __init__(self, reader: JournalReader, run: RunId, told: Callable[[Event], None]) -> None:
        """Begin to listen: what was asked before is of an earlier session. `told` is called with each request."""
        self._reader = reader
        self._run = run
        self._version = -1
        self._seen = reader.session_began(run)
        self._told = told

    def heard(self) -> tuple[Stop, Mapping[StepId, Answer]]:
        """Return how urgently the run was asked to end, and the answers that were given. Costs some microseconds."""
        version = self._reader.journal.data_version()
        if version == self._version:
            return Stop.NO, {}
        self._version = version
        since, last = self._seen, self._reader.last_event()
        found = self._reader.asked(self._run, _REQUESTS, since)
        self._seen = max(last, *(number for number, _ in found)) if found else last
        asked = [event for _, event in found if not event.body.get("signal")]
        for event in asked:
            self._told(event)
        stages = [int(event.body.get("stage", 1)) for event in asked if event.kind == STOP_ASKED]
        answers = self._reader.answers(self._run, after=since) if any(e.kind != STOP_ASKED for e in asked) else {}
        return Stop(min(max(stages, default=0), int(Stop.NOW))), answers

    def steps(self) -> list[StepRecord]:
        """Return the steps as the journal has them now."""
        return self._reader.steps(self._run)
