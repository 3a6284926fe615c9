"""Leases: locks that hold across the runs of a home, also those of other machines.

Whoever wants a lock queues for it and gets it when nobody alive is before him; who wants several waits until he is
the first for all of them, so that nobody can wait in a circle. A lease names its owner and when it expires. On the
machine of the owner the kernel knows whether he lives, so that the lease of a dead one is gone at once, and that of one
who was only stopped stays his; elsewhere the expiry decides. Nothing ever has to be unlocked by hand.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.processes import identity, is_acted_for, lives

LIFETIME = 60.0
"""Seconds after which a lease expires that its owner has not renewed."""
RENEWAL = 15.0
"""Seconds after which an owner renews."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A place in the queue for a lock; the first one has it."""

    id: int
    name: str
    run: RunId
    step: StepId
    owner: str  # as `identity` has it
    since_ns: int
    expires_ns: int

    def alive(self) -> bool:
        """Whether it counts: its owner lives, or, where that can't be known, it has not expired."""
        living = lives(self.owner)
        return self.expires_ns > time.time_ns() if living is None else living

    def describe(self) -> str:
        """Return who has it, for a person."""
        owner = json.loads(self.owner)
        since = time.strftime("%H:%M:%S", time.localtime(self.since_ns / 1e9))
        return f"run {self.run}, step {self.step} (process {owner['pid']} on {owner['host']}, since {since})"


class Leases:
    """The leases of one session of a run."""

    def __init__(self, journal: Journal, run: RunId) -> None:
        """Begin with none: those of an earlier session of the run, which must have ended, are given back."""
        self._journal = journal
        self._run = run
        self._owner = identity()
        self._runs = journal.path.parent / "runs"
        self._renewed = time.monotonic()
        self._steps: set[StepId] = set()
        self.release_all()

    def take(self, step: StepId, names: Iterable[str]) -> Lease | None:
        """Take the leases of these names for a step, all or none; returns who is before it when that can't be yet.

        The step keeps its places in the queues until it is released.
        """
        self._steps.add(step)
        now = time.time_ns()
        with self._journal.transaction() as connection:
            for name in names:
                self._queue(connection, name, step, now)
            for name in names:
                other = self._first(connection, name)
                if (other.run, other.step) != (self._run, step):
                    return other
        return None

    def _queue(self, connection: sqlite3.Connection, name: str, step: StepId, now: int) -> None:
        connection.execute(
            "INSERT INTO lease (name, run, step, owner, since_ns, expires_ns) SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
            "WHERE NOT EXISTS (SELECT 1 FROM lease WHERE name = ?1 AND run = ?2 AND step = ?3)",
            (name, self._run, step, self._owner, now, now + int(LIFETIME * 1e9)),
        )

    def _first(self, connection: sqlite3.Connection, name: str) -> Lease:
        """Return who is the first in a queue, once those who are gone have been taken out of it."""
        while True:
            first = Lease(
                *connection.execute("SELECT * FROM lease WHERE name = ? ORDER BY id LIMIT 1", (name,)).fetchone()
            )
            if first.run == self._run or first.alive() or is_acted_for(self._runs / first.run):
                return first
            connection.execute("DELETE FROM lease WHERE id = ?", (first.id,))

    def release(self, step: StepId) -> None:
        """Give back what a step has, and its places in queues."""
        if step in self._steps:
            self._steps.discard(step)
            with self._journal.transaction() as connection:
                connection.execute("DELETE FROM lease WHERE run = ? AND step = ?", (self._run, step))

    def release_all(self) -> None:
        """Give back everything."""
        self._steps.clear()
        with self._journal.transaction() as connection:
            connection.execute("DELETE FROM lease WHERE run = ?", (self._run,))

    def renew(self) -> None:
        """Say that the owner is still there, when it is time to."""
        now = time.monotonic()
        if not self._steps or now < self._renewed + RENEWAL:
            return
        self._renewed = now
        with self._journal.transaction() as connection:
            expires = time.time_ns() + int(LIFETIME * 1e9)
            connection.execute("UPDATE lease SET expires_ns = ? WHERE run = ?", (expires, self._run))


def all_leases(journal: Journal) -> list[Lease]:
    """Return all places in all queues, those who are first before the others."""
    return [Lease(*row) for row in journal.query("SELECT * FROM lease ORDER BY name, id")]
