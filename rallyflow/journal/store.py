"""Opens the journal and writes to it: runs and their events, each event with the state that it leads to.

Every write is one transaction that is on the disk when the call returns (synchronous=FULL); a journal that was opened
with `durable=False` leaves that to the next durable one, which may lose its last writes when the power fails. On a
network file system, where a write-ahead log would not work, the journal does without one. The other tables are a fold
of the events, kept in the same transaction. Connections are shared by the threads of a process under a lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rallyflow.errors import DiskFull, JournalUnusable, StorageError
from rallyflow.journal import faults
from rallyflow.journal.event import Event
from rallyflow.journal.filesystem import network_filesystem
from rallyflow.journal.fold import FOLD, dump, fold, insert_steps, planned_row
from rallyflow.journal.schema import MIGRATIONS, migrate
from rallyflow.model.plan import Plan
from rallyflow.model.records import RunRecord

_BUSY_MS = 30_000
_LITTLE = 128 * 1024  # bytes


class Journal:
    """The journal of one home."""

    def __init__(self, path: Path, *, write: bool = True, durable: bool = True) -> None:
        """Open `path`, making it when it is not there; raises StorageError, DiskFull or JournalUnusable."""
        self.path = path
        self._durable = durable
        self._lock = threading.RLock()
        with guarded(path):
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            else:
                self._connection = sqlite3.connect(
                    read_only(path), uri=True, isolation_level=None, check_same_thread=False
                )
            self._prepare(write=write)
            found = path.stat()
            self._identity = (found.st_dev, found.st_ino)

    def _prepare(self, *, write: bool) -> None:
        connection = self._connection
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        if write:
            shared = bool(network_filesystem(self.path.parent))
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable or shared else 'NORMAL'}")
            migrate(connection)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise JournalUnusable(
                f"{self.path} was written by a newer rallyflow (version {version}, this one knows {len(MIGRATIONS)})",
                hint="upgrade rallyflow, or use another --home",
            )
        if version < len(MIGRATIONS):
            raise JournalUnusable(
                f"{self.path} was written by an older rallyflow, and can't be brought up to date: it is read-only",
                hint="use it once where it can be written, or copy the folder",
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside one durable transaction; all of it counts, or none."""
        with self._lock, guarded(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                if faults.FAULT is not None:
                    faults.committing(self.path.parent)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        if faults.FAULT is not None:
            faults.committed(self.path.parent)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a read."""
        with self._lock, guarded(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for reading; all that is read inside the block is of one moment."""
        with self._lock, guarded(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def is_in_place(self) -> bool:
        """Whether the file that is open is still the one at its path: else nobody will ever read what is written."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def data_version(self) -> int:
        """Return a number that changes when another connection has written; the cheapest thing to poll."""
        with self._lock, guarded(self.path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def create_run(self, run: RunRecord, plan: Plan, events: Sequence[Event] = (), *, workers: int = 0) -> Event:
        """Book a new run with all of its steps as planned, and what has happened to them already.

        Returns the event of its creation; `workers` is how many steps may run at a time. What the journal keeps of it
        has the steps of a rerun as well: those that foreach steps became in the run before are in no plan file.
        """
        rows = [planned_row(step, number) for number, step in enumerate(plan.steps)]
        body = {
            "name": run.name,
            "workflow": str(run.workflow),
            "params": run.params,
            "provenance": run.provenance,
            "parent": run.parent or "",
            "plan": run.plan,
            "parallel": workers,
            "fold": FOLD,
        }
        created = Event("run_created", run.id, state=run.state, time_ns=run.created_ns, body=body)
        with self.transaction() as connection:
            append(connection, replace(created, body={**body, "steps": rows}) if run.parent else created)
            insert_steps(connection, run.id, rows)
            for event in events:
                append(connection, event)
        return created

    def record(self, events: Sequence[Event]) -> None:
        """Book events, and the states that they lead to, in one transaction."""
        with self.transaction() as connection:
            for event in events:
                append(connection, event)


def append(connection: sqlite3.Connection, event: Event) -> None:
    """Add an event to the journal, and bring the tables to what they are after it."""
    cursor = connection.execute(
        "INSERT INTO event (run, step, attempt, kind, state, time_ns, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.run, event.step, event.attempt, event.kind, event.state, event.time_ns, dump(event.body)),
    )
    fold(connection, event)
    if faults.FAULT is not None:
        faults.appended(cursor.lastrowid or 0, event, connection)


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Map SQLite's and the system's errors to ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text or ("disk I/O" in text and _has_no_space(path)):
            raise disk_full(path) from error
        if "unable to open" in text or "readonly" in text or "attempt to write" in text:
            raise StorageError(
                f"can't open or write the journal {path}: {text}", hint="check --home and its permissions"
            ) from error
        raise StorageError(f"the journal {path} can't be used just now: {text}") from error
    except sqlite3.ProgrammingError:
        raise  # a mistake of ours says nothing about the file
    except sqlite3.DatabaseError as error:
        raise JournalUnusable(
            f"the journal {path} is damaged: {error}",
            hint="restore it from a backup; or save what can still be read: rallyflow doctor --salvage NEW.db",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from error
        raise StorageError(
            f"can't use {error.filename or path}: {error.strerror}", hint="check --home and its permissions"
        ) from error


def _has_no_space(path: Path) -> bool:
    """Whether so little is left that SQLite could not even make room for its index of the log."""
    found = next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
    space = os.statvfs(found)
    return space.f_bavail * space.f_frsize < _LITTLE


def disk_full(path: Path) -> DiskFull:
    """Return the error of a full disk."""
    return DiskFull(
        f"no space left to write {path}",
        hint="free some space, then `rallyflow resume`: nothing that was booked is lost",
    )


def now_ns() -> int:
    """Return nanoseconds since the epoch."""
    return time.time_ns()


def read_only(path: Path) -> str:
    """Return SQLite's address of a journal that can only be read.

    Where nobody has it open there is no write-ahead log, and SQLite could not make one: it must not want to. A
    journal on a network file system never has one.
    """
    from urllib.parse import quote

    with path.open("rb") as file:
        logged = file.read(20)[18:] == b"\2\2"
    still = logged and not path.with_name(path.name + "-wal").exists()
    return f"file:{quote(str(path))}?mode=ro{'&immutable=1' * still}"
