"""Cleans up over many runs: what of a home may go, what is left alone, and what the ledger is told afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rallyflow.engine.locks import RunLock, is_live, wait_for_the_dead
from rallyflow.engine.session import destroy
from rallyflow.engine.surroundings import Listener
from rallyflow.engine.undo import NotRemoved, with_contents
from rallyflow.errors import RunLocked
from rallyflow.journal.books import mark_deleted
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId
from rallyflow.model.records import Resource
from rallyflow.settings import Home

Choice = Callable[[Resource], bool]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of one run is to be removed, oldest first."""

    run: RunId
    resources: Sequence[Resource]


@dataclass(frozen=True, slots=True)
class Removal:
    """How it went."""

    removed: int
    left: tuple[NotRemoved, ...] = ()
    live: tuple[RunId, ...] = ()  # runs that turned out to be worked on


def choose(home: Home, reader: JournalReader, only: Choice) -> tuple[list[Chosen], list[RunId]]:
    """Return what may be removed, the newest run first, and the runs that have such things but are worked on."""
    runs: dict[RunId, list[Resource]] = {}
    for resource in reader.resources():
        runs.setdefault(resource.run, []).append(resource)
    found = [Chosen(run, with_contents(resources, only)) for run, resources in runs.items()]
    wanted = sorted((each for each in found if each.resources), key=lambda each: each.resources[-1].id, reverse=True)
    live = [each.run for each in wanted if is_live(home.run(each.run))]
    return [each for each in wanted if each.run not in live], live


def remove(home: Home, chosen: Sequence[Chosen], only: Choice, listener: Listener) -> Removal:
    """Remove what `choose` found with the same choice, run by run, each under its lock."""
    removed = 0
    left: list[NotRemoved] = []
    live: list[RunId] = []
    for each in chosen:
        try:
            count, stayed = destroy(home, each.run, listener, only)
        except RunLocked:
            live.append(each.run)
            continue
        removed += count - len(stayed)
        left += stayed
    return Removal(removed, tuple(left), tuple(live))


@contextmanager
def held(home: Home, run: RunId) -> Iterator[None]:
    """Keep every engine away from a run inside the block, if it is one of this home; RunLocked when one works on it."""
    directory = home.run(run)
    if not directory.is_dir():
        yield
        return
    lock = RunLock(directory)
    lock.take()
    try:
        wait_for_the_dead(directory)
        yield
    finally:
        lock.release()


def book_gone(home: Home, run: RunId, gone: Choice) -> int:
    """Book what is known to be gone of a run as deleted in the ledger of this home; returns how much that was."""
    if not home.journal.exists():
        return 0
    journal = Journal(home.journal)
    try:
        rows = [row for row in JournalReader(journal, home.root).resources(run) if gone(row)]
        if rows:
            mark_deleted(journal, rows)
        return len(rows)
    finally:
        journal.close()
