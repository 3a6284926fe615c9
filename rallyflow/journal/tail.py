"""Follows a run through its journal, from any process: what is new since the last look.

Where nobody has written anything a look costs one pragma. No look holds a transaction for longer than it takes to
read some hundred events, so that the writer can always fold its log back into the journal.
"""

from __future__ import annotations

from collections.abc import Iterator

from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Reading

_AT_A_TIME = 500  # events that one transaction reads


class Tail:
    """The end of one run's journal, and how far it has been read."""

    def __init__(self, reader: JournalReader, run: RunId, after: int = 0) -> None:
        """Follow a run from the event behind number `after`."""
        self._reader = reader
        self._run = run
        self.last = after  # the number of the last event that was given out
        self._version = -1
        self._heard: dict[StepId, int] = {}

    def look(self) -> Iterator[Event | Reading]:
        """Give what is new: all events in their order, then how far those attempts are that have said something."""
        version = self._reader.journal.data_version()  # before the reads: what comes during them is for the next look
        if version == self._version:
            return
        yield from self._events()
        yield from self._readings()
        self._version = version

    def _events(self) -> Iterator[Event]:
        while found := self._reader.events(self._run, self.last, most=_AT_A_TIME):
            for seq, event in found:
                self.last = seq
                yield event

    def _readings(self) -> Iterator[Reading]:
        for step, reading in self._reader.progress(self._run).items():
            if self._heard.get(step) != reading.heard_ns:
                self._heard[step] = reading.heard_ns
                yield reading
