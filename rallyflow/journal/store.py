"""Opens the journal and writes to it: runs and their events, each event with the state that it leads to.

Every write is one transaction that is on the disk when the call returns (synchronous=FULL). The table `step` is a
fold of the events, kept in the same transaction. Connections are shared by the threads of a process under a lock.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rallyflow.errors import DiskFull, JournalUnusable, StorageError
from rallyflow.journal.schema import MIGRATIONS, migrate
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState, StepState

_BUSY_MS = 30_000
_NO_STEP = StepId("")
STATELESS = frozenset({"answered"})
"""The kinds of events that leave the state of their step as it is."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run (step is empty) or to a step, and the state that it led to."""

    kind: str
    run: RunId
    step: StepId = _NO_STEP
    attempt: int = 0
    state: str = ""
    time_ns: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """The journal of one home."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        """Open `path`, making it when it is not there; raises StorageError, DiskFull or JournalUnusable."""
        self.path = path
        self._lock = threading.RLock()
        with guarded(path):
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            else:
                self._connection = sqlite3.connect(
                    _read_only(path), uri=True, isolation_level=None, check_same_thread=False
                )
            self._prepare(write=write)

    def _prepare(self, *, write: bool) -> None:
        connection = self._connection
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
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
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a read."""
        with self._lock, guarded(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def create_run(self, run: RunRecord, plan: Plan) -> None:
        """Book a new run with all of its steps as planned."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO run (id, name, state, workflow, created_ns, params, provenance) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    run.id,
                    run.name,
                    run.state,
                    str(run.workflow),
                    run.created_ns,
                    dump(run.params),
                    dump(run.provenance),
                ),
            )
            connection.executemany(
                "INSERT INTO step (run, id, position, name, uses, matrix, fingerprint, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        run.id,
                        step.id,
                        position,
                        step.name,
                        step.uses,
                        dump(step.matrix),
                        step.fingerprint,
                        StepState.PLANNED,
                    )
                    for position, step in enumerate(plan.steps)
                ),
            )
            _append(connection, Event("run_created", run.id, state=run.state, time_ns=run.created_ns))

    def record(self, events: Sequence[Event]) -> None:
        """Book events, and the states that they lead to, in one transaction."""
        with self.transaction() as connection:
            for event in events:
                _append(connection, event)
                if event.step:
                    _fold_step(connection, event)
                else:
                    _fold_run(connection, event)


def _append(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT INTO event (run, step, attempt, kind, state, time_ns, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.run, event.step, event.attempt, event.kind, event.state, event.time_ns, dump(event.body)),
    )


def _fold_step(connection: sqlite3.Connection, event: Event) -> None:
    if event.kind in STATELESS:
        return
    if event.kind == "paused":  # what went wrong stays in sight
        connection.execute("UPDATE step SET state = ? WHERE run = ? AND id = ?", (event.state, event.run, event.step))
        return
    if event.kind == "expanded":
        _insert_cells(connection, event)
    if event.kind == "intent":
        connection.execute(
            "UPDATE step SET state = ?, attempt = ?, started_ns = ?, ended_ns = 0, error = '{}', reason = '' "
            "WHERE run = ? AND id = ?",
            (event.state, event.attempt, event.time_ns, event.run, event.step),
        )
        return
    body = event.body
    connection.execute(
        "UPDATE step SET state = ?, ended_ns = ?, outputs = coalesce(?, outputs), error = ?, reason = ? "
        "WHERE run = ? AND id = ?",
        (
            event.state,
            event.time_ns if StepState(event.state).ended else 0,
            dump(body["outputs"]) if "outputs" in body else None,
            dump(body.get("error", {})),
            body.get("reason", ""),
            event.run,
            event.step,
        ),
    )


def _insert_cells(connection: sqlite3.Connection, event: Event) -> None:
    """Add the steps that a foreach step has become, right behind it."""
    connection.executemany(
        "INSERT INTO step (run, id, position, cell, name, uses, matrix, fingerprint, state) "
        "SELECT run, ?, position, ?, ?, ?, ?, ?, ? FROM step WHERE run = ? AND id = ?",
        (
            (
                *(cell["id"], number, cell["name"], cell["uses"], dump(cell["matrix"]), cell["fingerprint"]),
                *(StepState.PLANNED, event.run, event.step),
            )
            for number, cell in enumerate(event.body["cells"], start=1)
        ),
    )


def _fold_run(connection: sqlite3.Connection, event: Event) -> None:
    if event.kind == "run_resumed":
        connection.execute(
            "UPDATE run SET state = ?, ended_ns = 0, sessions = sessions + 1 WHERE id = ?",
            (event.state, event.run),
        )
    elif event.state:
        ended = event.time_ns if event.state != RunState.RUNNING else 0
        connection.execute("UPDATE run SET state = ?, ended_ns = ? WHERE id = ?", (event.state, ended, event.run))


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Map SQLite's and the system's errors to ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "full" in text:
            raise disk_full(path) from error
        if "unable to open" in text or "readonly" in text or "attempt to write" in text:
            raise StorageError(
                f"can't open or write the journal {path}: {text}", hint="check --home and its permissions"
            ) from error
        raise StorageError(f"the journal {path} can't be used just now: {text}") from error
    except sqlite3.DatabaseError as error:
        raise JournalUnusable(
            f"the journal {path} is damaged: {error}",
            hint="copy it away, and restore it from a backup or use another --home",
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from error
        raise StorageError(
            f"can't use {error.filename or path}: {error.strerror}", hint="check --home and its permissions"
        ) from error


def disk_full(path: Path) -> DiskFull:
    """Return the error of a full disk."""
    return DiskFull(
        f"no space left to write {path}",
        hint="free some space, then `rallyflow resume`: nothing that was booked is lost",
    )


def dump(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), default=str)


def now_ns() -> int:
    """Return nanoseconds since the epoch."""
    return time.time_ns()


def _read_only(path: Path) -> str:
    """Return SQLite's address of a journal that can only be read.

    Where nobody has it open there is no write-ahead log, and SQLite could not make one: it must not want to.
    """
    from urllib.parse import quote

    still = not path.with_name(path.name + "-wal").exists()
    return f"file:{quote(str(path))}?mode=ro{'&immutable=1' * still}"
