"""Puts a home right again from the events of its journal, which it never changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rallyflow.doctor.fsck import Examined, planned_rows
from rallyflow.engine.cleanup import held
from rallyflow.engine.locks import is_live
from rallyflow.errors import RunLocked
from rallyflow.journal.books import JournalParts
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.refold import differences, rebuild, refold
from rallyflow.journal.store import Journal
from rallyflow.model.records import Part
from rallyflow.settings import Home


def repair(home: Home, journal: Journal, found: Examined) -> list[str]:
    """Do what can be done about what a check has found; returns what was done, in sentences without a full stop."""
    done = []
    if found.differences:
        count = _rebuild_tables(home, journal)
        done.append(f"built the tables of {count} run{'s' * (count != 1)} anew from the events")
    dropped = _drop(home, journal, found.bad_parts)
    if dropped:
        done.append(f"dropped {dropped} part{'s' * (dropped != 1)} that can't be used")
    removed = _remove_strays(home, found)
    if removed:
        done.append(f"removed {removed} file{'s' * (removed != 1)} that no row of the journal knows")
    done.append(_rebuild_history(home, journal))
    return done


def _rebuild_tables(home: Home, journal: Journal) -> int:
    """Fold and compare again in one transaction with the repair, so that nobody writes in between."""
    with journal.transaction() as connection:
        told = refold(connection, lambda run, file: planned_rows(home, run, file))
        runs = {each.run for each in differences(connection, told)}
        rebuild(connection, told, runs)
        told.connection.close()
    return len(runs)


def _drop(home: Home, journal: Journal, parts: Sequence[Part]) -> int:
    """Book that parts count no more; what a live run has booked is its own to judge."""
    dropped = 0
    for owner, group in groupby(parts, key=lambda part: (part.run, part.step, part.attempt)):
        if not is_live(home.run(owner[0])):
            mine = list(group)
            JournalParts(journal, home.root, owner).drop(mine)
            dropped += len(mine)
    return dropped


def _remove_strays(home: Home, found: Examined) -> int:
    removed = 0
    for run, group in groupby(found.strays, key=lambda stray: stray[0]):
        try:
            with held(home, run):
                for _, path in group:
                    path.unlink(missing_ok=True)
                    removed += 1
        except RunLocked:
            continue
    return removed


def _rebuild_history(home: Home, journal: Journal) -> str:
    from rallyflow.results.history import IngestState, rebuild

    reader = JournalReader(journal, home.root)
    runs = reader.runs()
    steps = [step for run in runs for step in reader.steps(run.id)]
    parts = [part for run in runs for part in reader.parts(run.id)]
    result = rebuild(home.results, runs, steps, parts)
    if result.state is not IngestState.DONE:
        return f"results.duckdb could not be built anew: {result.detail}"
    return f"built results.duckdb anew, with {result.rows} rows"
