"""The ledger of resources and the book of parts of one attempt, durable at every call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.journal.portable import portable
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal, dump, now_ns
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Part, Resource
from rallyflow.model.states import ResourceState


class JournalLedger:
    """Implements `Ledger` of rallyflow.model.step on the journal."""

    def __init__(self, journal: Journal, root: Path, run: RunId, step: StepId, attempt: int) -> None:
        """Book for one attempt of one step; paths in details are kept relative to `root`, the home."""
        self._journal = journal
        self._root = root
        self._reader = JournalReader(journal, root)
        self._owner = (run, step, attempt)

    def intend(self, kind: str, name: str, *, inside: int = 0, detail: Mapping[str, Any] | None = None) -> int:
        """Book that an object is about to be made; returns the ledger id."""
        now = now_ns()
        with self._journal.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO resource (run, step, attempt, kind, name, inside, state, detail, created_ns, updated_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*self._owner, kind, name, inside, ResourceState.INTENT, self._dump(detail or {}), now, now),
            )
            return int(cursor.lastrowid or 0)

    def created(self, resource: int, external_id: str, *, detail: Mapping[str, Any] | None = None) -> None:
        """Book that the object exists; `detail` is merged into what was booked."""
        with self._journal.transaction() as connection:
            (before,) = connection.execute("SELECT detail FROM resource WHERE id = ?", (resource,)).fetchone()
            merged = self._dump({**json.loads(before), **(detail or {})})
            connection.execute(
                "UPDATE resource SET state = ?, external_id = ?, detail = ?, updated_ns = ? WHERE id = ?",
                (ResourceState.CREATED, external_id, merged, now_ns(), resource),
            )

    def deleted(self, resource: int) -> None:
        """Book that the object is gone."""
        mark_deleted(self._journal, [resource])

    def open(self) -> Sequence[Resource]:
        """Return what this step made and did not remove, in all of its attempts, oldest first."""
        return self._reader.resources(self._owner[0], step=self._owner[1])

    def _dump(self, detail: Mapping[str, Any]) -> str:
        return dump(portable(json.loads(dump(detail)), self._root))


def mark_deleted(journal: Journal, resources: Sequence[int]) -> None:
    """Book that objects are gone, in one transaction."""
    with journal.transaction() as connection:
        connection.executemany(
            "UPDATE resource SET state = ?, updated_ns = ? WHERE id = ?",
            [(ResourceState.DELETED, now_ns(), resource) for resource in resources],
        )


class JournalParts:
    """Implements `PartBook` of rallyflow.model.step on the journal."""

    def __init__(self, journal: Journal, root: Path, run: RunId, step: StepId, attempt: int) -> None:
        """Book for one attempt of one step; paths are kept relative to `root`, the home."""
        self._journal = journal
        self._reader = JournalReader(journal, root)
        self._root = root
        self._owner = (run, step, attempt)

    def add(self, parts: Sequence[tuple[str, Path, int]]) -> None:
        """Book parts as (table, path, rows), all or none."""
        now = now_ns()
        with self._journal.transaction() as connection:
            connection.executemany(
                "INSERT INTO part (path, run, step, attempt, tbl, rows, time_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(str(path.relative_to(self._root)), *self._owner, table, rows, now) for table, path, rows in parts],
            )

    def mine(self, table: str) -> Sequence[Part]:
        """Return the booked parts of this step (all attempts) of one table."""
        return self._reader.parts(self._owner[0], step=self._owner[1], table=table)
