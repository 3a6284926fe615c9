"""The ledger of resources and the book of parts of one attempt, durable at every call; and how far attempts are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.journal.event import Event
from rallyflow.journal.fold import (
    PARTS_BOOKED,
    PARTS_DROPPED,
    RESOURCE_CREATED,
    RESOURCE_DELETED,
    RESOURCE_INTENDED,
    dump,
    storable,
)
from rallyflow.journal.portable import portable
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal, append, now_ns
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Part, Reading, Resource
from rallyflow.model.states import ResourceState


class JournalLedger:
    """Implements `Ledger` of rallyflow.model.step on the journal."""

    def __init__(
        self, journal: Journal, root: Path, owner: tuple[RunId, StepId, int], time_to_live: float | None = None
    ) -> None:
        """Book for one attempt of one step; paths in details are kept relative to `root`, the home.

        After `time_to_live` seconds `rallyflow cleanup --expired` removes what is still there; None is for ever.
        """
        self._time_to_live = time_to_live
        self._journal = journal
        self._root = root
        self._reader = JournalReader(journal, root)
        self._owner = owner

    def intend(self, kind: str, name: str, *, inside: int = 0, detail: Mapping[str, Any] | None = None) -> int:
        """Book that an object is about to be made; returns the ledger id."""
        now = now_ns()
        body = {
            "kind": kind,
            "name": name,
            "inside": inside,
            "detail": self._portable(detail or {}),
            "expires_ns": now + int(self._time_to_live * 1e9) if self._time_to_live else 0,
        }
        with self._journal.transaction() as connection:
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM resource").fetchone()
            append(connection, self._event(RESOURCE_INTENDED, ResourceState.INTENT, now, {"id": last + 1, **body}))
            return int(last) + 1

    def created(self, resource: int, external_id: str, *, detail: Mapping[str, Any] | None = None) -> None:
        """Book that the object exists; `detail` is merged into what was booked."""
        with self._journal.transaction() as connection:
            (before,) = connection.execute("SELECT detail FROM resource WHERE id = ?", (resource,)).fetchone()
            merged = {**json.loads(before), **self._portable(detail or {})}
            body = {"id": resource, "external_id": external_id, "detail": merged}
            append(connection, self._event(RESOURCE_CREATED, ResourceState.CREATED, now_ns(), body))

    def deleted(self, resource: int) -> None:
        """Book that the object is gone."""
        mark_deleted(self._journal, [each for each in self.open() if each.id == resource])

    def open(self) -> Sequence[Resource]:
        """Return what this step made and did not remove, in all of its attempts, oldest first."""
        return self._reader.resources(self._owner[0], step=self._owner[1])

    def _portable(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = portable(json.loads(dump(detail)), self._root)
        return plain

    def _event(self, kind: str, state: ResourceState, time_ns: int, body: Mapping[str, Any]) -> Event:
        run, step, attempt = self._owner
        return Event(kind, run, step, attempt, state, time_ns, body)


def mark_deleted(journal: Journal, resources: Sequence[Resource]) -> None:
    """Book that objects are gone, in one transaction."""
    now = now_ns()
    journal.record(
        [
            Event(RESOURCE_DELETED, each.run, each.step, each.attempt, ResourceState.DELETED, now, {"id": each.id})
            for each in resources
        ]
    )


def deleted_of(journal: Journal, ids: Collection[int]) -> set[int]:
    """Return those of some ids of the ledger whose objects are gone."""
    rows = journal.query(
        "SELECT id FROM resource WHERE state = 'deleted' AND id IN (SELECT value FROM json_each(?))",
        (dump(sorted(ids)),),
    )
    return {row[0] for row in rows}


class JournalParts:
    """Implements `PartBook` of rallyflow.model.step on the journal."""

    def __init__(self, journal: Journal, root: Path, owner: tuple[RunId, StepId, int]) -> None:
        """Book for one attempt of one step; paths are kept relative to `root`, the home."""
        self._journal = journal
        self._reader = JournalReader(journal, root)
        self._root = root
        self._owner = owner

    def add(self, parts: Sequence[tuple[str, Path, int]]) -> None:
        """Book parts as (table, path, rows), all or none."""
        run, step, attempt = self._owner
        rows = [(table, str(path.relative_to(self._root)), count) for table, path, count in parts]
        self._journal.record([Event(PARTS_BOOKED, run, step, attempt, time_ns=now_ns(), body={"parts": rows})])

    def drop(self, parts: Sequence[Part]) -> None:
        """Book that parts of this step count no more: they can't be read."""
        run, step, attempt = self._owner
        paths = [str(part.path.relative_to(self._root)) for part in parts]
        self._journal.record([Event(PARTS_DROPPED, run, step, attempt, time_ns=now_ns(), body={"parts": paths})])

    def mine(self, table: str | None = None) -> Sequence[Part]:
        """Return the booked parts of this step (all attempts), of one table or of all."""
        return self._reader.parts(self._owner[0], step=self._owner[1], table=table)


class ProgressBook:
    """How far the attempts of a run are, for readers in other processes. Not durable: who needs it looks now."""

    def __init__(self, journal: Journal, run: RunId) -> None:
        """Write into a journal, best one that is not durable."""
        self._journal = journal
        self._run = run

    def write(self, readings: Sequence[Reading]) -> None:
        """Write how far attempts are, over what was known of their steps."""
        with self._journal.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO progress "
                "(run, step, attempt, done, total, note, cpu_s, memory_bytes, heard_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(self._run, each.step, each.attempt, each.done, each.total, storable(each.note)),
                        *(each.cpu_s, each.memory_bytes, each.heard_ns),
                    )
                    for each in readings
                ],
            )

    def clear(self) -> None:
        """Forget what is of interest only while the run goes on."""
        with self._journal.transaction() as connection:
            connection.execute("DELETE FROM progress WHERE run = ?", (self._run,))
