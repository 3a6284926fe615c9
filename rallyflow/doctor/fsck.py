"""Checks a home against itself: the journal's file, its tables against its events, and the parts that it has booked."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rallyflow.engine.locks import is_live
from rallyflow.journal.fold import PARTS_BOOKED, planned_row
from rallyflow.journal.leases import all_leases
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.refold import Difference, differences, refold
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId
from rallyflow.model.plan import plan_from_json
from rallyflow.model.records import Part
from rallyflow.model.states import RunState
from rallyflow.results.check import strays, trouble_with
from rallyflow.settings import Home


class Kind(StrEnum):
    """What something is that was found."""

    FILE = "file"  # the journal's file itself
    EVENT = "event"  # an event that can't be understood
    TABLE = "table"  # a table that says something else than the events
    PART = "part"  # a booked part that can't be used
    STRAY = "stray"  # a part that was written but never booked: no damage
    DEAD = "dead"  # a run whose process is gone: no damage
    LEFT = "left"  # resources of a run that no process works on: no damage
    LEASE = "lease"  # a lock whose owner is gone: no damage

    @property
    def damage(self) -> bool:
        """Whether the home is not what it should be."""
        return self in (Kind.FILE, Kind.EVENT, Kind.TABLE, Kind.PART)

    @property
    def fixable(self) -> bool:
        """Whether `--fix` does something about it."""
        return self in (Kind.TABLE, Kind.PART, Kind.STRAY)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, or that somebody may want to know."""

    kind: Kind
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What a check has found, and what a repair needs to know of it."""

    findings: tuple[Finding, ...]
    events: int
    runs: int
    parts: int
    differences: tuple[Difference, ...] = ()
    bad_parts: tuple[Part, ...] = ()
    strays: tuple[tuple[RunId, Path], ...] = ()

    @property
    def damaged(self) -> bool:
        """Whether there is any damage."""
        return any(each.kind.damage for each in self.findings)


def examine(home: Home, journal: Journal) -> Examined:
    """Check everything, changing nothing; raises JournalUnusable when the journal's pages are damaged."""
    findings: list[Finding] = []
    with journal.snapshot() as connection:
        broken = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
        findings += [Finding(Kind.FILE, what) for what in broken if what != "ok"]
        told = refold(connection, lambda run, file: planned_rows(home, run, file))
        findings += [
            Finding(Kind.EVENT, f"event {number} can't be understood: {what}") for number, what in told.unreadable
        ]
        wrong = differences(connection, told)
        told.connection.close()
        findings += _orphans(connection)
        holes = list(_holes(connection))
        findings += holes
        known = _ever_booked(connection, home)
        events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    findings += [Finding(Kind.TABLE, str(each)) for each in wrong]
    reader = JournalReader(journal, home.root)
    runs = reader.runs()
    parts = [part for run in runs for part in reader.parts(run.id)]
    bad = [(part, what) for part in parts if (what := trouble_with(part))]
    findings += [Finding(Kind.PART, f"{part.path.relative_to(home.root)} {what}") for part, what in bad]
    unbooked = [] if holes else list(_strays(home, known))
    findings += [Finding(Kind.STRAY, f"{path.relative_to(home.root)} was never booked") for _, path in unbooked]
    findings += _notes(home, reader, journal)
    return Examined(
        tuple(findings), events, len(runs), len(parts), tuple(wrong), tuple(part for part, _ in bad), tuple(unbooked)
    )


def planned_rows(home: Home, run: RunId, file: str) -> list[tuple[Any, ...]] | None:
    """Return what a plan file of a run says of its steps, as the journal keeps it; None when it can't be read."""
    try:
        plan = plan_from_json(json.loads((home.run(run) / file).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # also of an older rallyflow
        return None
    return [planned_row(step, number) for number, step in enumerate(plan.steps)]


def _orphans(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield how many rows name something that is not there."""
    lost = Counter((row[0], row[2]) for row in connection.execute("PRAGMA foreign_key_check"))
    for (table, parent), count in lost.items():
        yield Finding(Kind.TABLE, f"{count} rows of {table} are of a {parent} that is not there")


def _holes(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield where events are missing: their numbers have no gaps, since nothing ever removes one."""
    before = 0
    for (number,) in connection.execute("SELECT seq FROM event ORDER BY seq"):
        if number != before + 1:
            yield Finding(Kind.EVENT, f"{number - before - 1} events before number {number} are not there")
        before = number


def _ever_booked(connection: sqlite3.Connection, home: Home) -> set[Path]:
    """Return every file that the journal has ever had for a part: in its table, or in an event."""
    paths = [row[0] for row in connection.execute("SELECT path FROM part")]
    for (body,) in connection.execute("SELECT body FROM event WHERE kind = ?", (PARTS_BOOKED,)):
        with suppress(ValueError, KeyError, TypeError):
            paths += [path for _, path, _ in json.loads(body)["parts"]]
    return {home.root / path for path in paths}


def _strays(home: Home, known: Collection[Path]) -> Iterator[tuple[RunId, Path]]:
    """Yield files that the journal has never had; those of live runs may be booked in the next moment."""
    for folder in sorted(home.root.glob("runs/*/results")):
        if not is_live(folder.parent):
            yield from ((RunId(folder.parent.name), path) for path in strays(folder, known))


def _notes(home: Home, reader: JournalReader, journal: Journal) -> Iterator[Finding]:
    left: dict[RunId, int] = {}
    for resource in reader.resources():
        left[resource.run] = left.get(resource.run, 0) + 1
    for run in reader.runs():
        if is_live(home.run(run.id)):
            continue
        if run.state is RunState.RUNNING:
            hint = f"rallyflow resume {run.id}   or   rallyflow destroy {run.id}"
            yield Finding(Kind.DEAD, f"no process works on run {run.id}, which has not ended", hint)
        if run.id in left:
            what = f"{left[run.id]} resource{'s' * (left[run.id] != 1)} of run {run.id} may still be there"
            yield Finding(Kind.LEFT, what, f"rallyflow resources {run.id}   then   rallyflow destroy {run.id}")
    for lease in all_leases(journal):
        if not lease.alive():
            what = f"the lock {lease.name} is kept by {lease.describe()}, who is gone"
            yield Finding(Kind.LEASE, what, "nothing to do: whoever wants it next takes it")
