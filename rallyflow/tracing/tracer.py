"""Delivers the trace of a run from its journal, in a thread beside the run, which it never slows or fails.

How far it has come is kept in the run's folder: what could not be delivered, because the collector did not answer or
because the process was killed, the next session of the run delivers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rallyflow.errors import RallyflowError
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.journal.tail import Tail
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import StepRecord
from rallyflow.settings import Home
from rallyflow.tracing.export import Export
from rallyflow.tracing.spans import Span, Spans
from rallyflow.tracing.switch import exporters

_EVERY = 1.0  # seconds between two looks at the journal
_BATCH = 512  # spans in one delivery
_MOST = 20_000  # spans that wait for a collector that does not answer; the others stay in the journal
_PATIENCE = 2.0  # seconds that the end of a run waits for the last delivery
_NO_PATIENCE = 0.5  # the same, when the last delivery has failed
_MARK = "traced"
_PLAIN = (str, bool, int, float)


class Tracer:
    """The trace of one session's run."""

    def __init__(self, home: Home, run: RunId) -> None:
        """Begin to deliver the trace of a run that is in the journal."""
        self._home = home
        self._run = run
        self._mark = home.run(run) / _MARK
        self._over = threading.Event()
        self._failing = False
        self._done = False
        self._thread = threading.Thread(target=self._work, name="tracing", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Deliver the rest, unless that takes too long; returns whether all of the trace is delivered."""
        self._over.set()
        self._thread.join(_NO_PATIENCE if self._failing else _PATIENCE)
        return self._done

    def _work(self) -> None:
        try:
            journal = Journal(self._home.journal, durable=False)
            try:
                self._deliver(JournalReader(journal, self._home.root))
            finally:
                journal.close()
        except (RallyflowError, OSError):
            return  # a trace is never worth a failure

    def _deliver(self, reader: JournalReader) -> None:
        export = Export(exporters())
        source = _Source(reader, self._run, _read(self._mark))
        waiting: list[tuple[int, Span]] = []
        last = False
        while not last:
            last = self._over.wait(_EVERY)
            if len(waiting) < _MOST:
                waiting += source.spans()
            while waiting and export.deliver([span for _, span in waiting[:_BATCH]]):
                number = waiting[_BATCH][0] - 1 if len(waiting) > _BATCH else waiting[-1][0]
                self._mark.write_text(str(number), encoding="ascii")
                del waiting[:_BATCH]
            self._failing = bool(waiting)
        self._done = not waiting


class _Source:
    """The spans of a run that have not been delivered yet."""

    def __init__(self, reader: JournalReader, run: RunId, delivered: int) -> None:
        """Read the run from its beginning; what the events up to number `delivered` have ended is delivered."""
        self._reader = reader
        self._run = run
        self._delivered = delivered
        self._tail = Tail(reader, run)
        self._spans = Spans(run, reader.run(run).name)
        self._steps: dict[StepId, dict[str, Any]] = {}

    def spans(self) -> Iterator[tuple[int, Span]]:
        """Give what has become a span since the last time, with the number of the event that ended it."""
        for found in self._tail.look():
            if isinstance(found, Event):
                number = self._tail.last
                for span in self._spans.after(found):
                    if number > self._delivered:
                        yield number, self._with_step(span)

    def _with_step(self, span: Span) -> Span:
        """Return a span with what the run knows of its step."""
        step = StepId(span.name)
        if "rallyflow.step" not in span.attributes:
            return span
        if step not in self._steps:
            self._steps = {each.id: _facts(each) for each in self._reader.steps(self._run)}
        return replace(span, attributes={**span.attributes, **self._steps.get(step, {})})


def _facts(step: StepRecord) -> dict[str, Any]:
    """Return what a span says of a step beside what happened to it."""
    plain = {name: value if isinstance(value, _PLAIN) else str(value) for name, value in step.matrix.items()}
    return {"rallyflow.uses": step.uses} | {f"rallyflow.matrix.{name}": value for name, value in plain.items()}


def _read(mark: Path) -> int:
    """Return the number of the last event whose spans were delivered; 0 for none."""
    try:
        return int(mark.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
