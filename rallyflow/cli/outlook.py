"""The expected end of a live run, for views that are drawn many times a second."""

from __future__ import annotations

import time

from rallyflow.cli.options import open_reader
from rallyflow.engine.answering import plan_as_it_went
from rallyflow.engine.remaining import Standing, seconds_left
from rallyflow.engine.session import read_plan
from rallyflow.errors import RallyflowError
from rallyflow.journal.reader import JournalReader
from rallyflow.model.ids import RunId
from rallyflow.model.plan import Plan
from rallyflow.settings import Home

_EVERY = 1.0  # seconds between two estimates
_SHARE = 0.02  # of one processor, at most: an estimate of 10 000 open steps takes 0.4 s, and is good for 20 s


class Outlook:
    """How long a run still takes; a run that can't be estimated has no outlook, and is none the worse for it."""

    def __init__(self, home: Home, run: RunId, workers: int) -> None:
        """Name a run, and how many of its steps may run at a time; nothing is read yet."""
        self._home = home
        self._run = run
        self._workers = workers
        self._reader: JournalReader | None = None
        self._plan: Plan | None = None
        self._seconds: dict[tuple[str, str], float] = {}
        self._end: float | None = None  # on the monotonic clock
        self._again = 0.0

    def seconds_left(self) -> float | None:
        """Return the seconds until the last step ends; None when that is not known. As cheap as one likes to ask."""
        now = time.monotonic()
        if now >= self._again:
            left = self._estimate()
            done = time.monotonic()
            self._end = None if left is None else now + left
            self._again = done + max(_EVERY, (done - now) / _SHARE)
        return None if self._end is None else max(0.0, self._end - now)

    def close(self) -> None:
        """Close the journal."""
        if self._reader is not None:
            self._reader.journal.close()

    def _estimate(self) -> float | None:
        try:
            reader = self._opened()
            if not self._seconds:
                return None  # the first run of its kind
            rows = reader.standing(self._run)
            standing = {step: Standing(state, started) for step, (state, started) in rows.items()}
            plan = self._plan_of(standing.keys(), reader)
        except RallyflowError:
            return None
        return seconds_left(plan, standing, workers=self._workers, seconds=self._seconds, now_ns=time.time_ns())

    def _opened(self) -> JournalReader:
        if self._reader is None:
            self._reader = open_reader(self._home)
            self._seconds = self._reader.durations(self._reader.run(self._run).name)
        return self._reader

    def _plan_of(self, steps: object, reader: JournalReader) -> Plan:
        """Return the plan with the steps that it has now, read again when foreach steps have been expanded."""
        if self._plan is None or {step.id for step in self._plan.steps} != steps:
            plan = read_plan(self._home.run(self._run), reader.run(self._run).plan)
            self._plan = plan_as_it_went(plan, reader.steps(self._run), reader.answers(self._run))
        return self._plan
