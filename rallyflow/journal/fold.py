"""Folds events into the tables that say how things stand: runs, steps, resources and parts.

Every table is a fold of the events alone; `rallyflow doctor --fsck` folds them again and compares.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rallyflow.journal.event import Event
from rallyflow.model.plan import PlannedStep
from rallyflow.model.states import ResourceState, RunState, StepState

RESOURCE_INTENDED = "resource_intended"
RESOURCE_CREATED = "resource_created"
RESOURCE_DELETED = "resource_deleted"
PARTS_BOOKED = "parts_booked"
PARTS_DROPPED = "parts_dropped"

FOLD = 1
"""Which way of folding this is, kept with each new run; raise it when the same events lead to other rows."""
PLANNED_COLUMNS = ("id", "position", "cell", "name", "uses", "matrix", "fingerprint")
"""The columns of `step` that a plan gives; all others come from events."""


def fold(connection: sqlite3.Connection, event: Event) -> None:
    """Bring the tables to what they are after an event."""
    special = _FOLDS.get(event.kind)
    if special is not None:
        special(connection, event)
    elif event.state and event.step:
        _step(connection, event)
    elif event.state:
        _run(connection, event)


def dump(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), default=str)


def storable(text: str) -> str:
    """Return a text that SQLite can keep: what is no character, as in a file name that is not UTF-8, is written out."""
    return text.encode(errors="backslashreplace").decode()


def planned_row(step: PlannedStep, position: int, cell: int = 0) -> tuple[Any, ...]:
    """Return what a plan says of a step, in the order of `PLANNED_COLUMNS`."""
    return step.id, position, cell, step.name, step.uses, dump(step.matrix), step.fingerprint


def insert_steps(connection: sqlite3.Connection, run: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add steps as planned, from rows in the order of `PLANNED_COLUMNS`."""
    connection.executemany(
        f"INSERT INTO step (run, state, {', '.join(PLANNED_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        ((run, StepState.PLANNED, *row) for row in rows),
    )


def _step(connection: sqlite3.Connection, event: Event) -> None:
    """Set the state that an event led to, and what came with it."""
    body = event.body
    connection.execute(
        "UPDATE step SET state = ?, ended_ns = ?, outputs = coalesce(?, outputs), error = ?, reason = ?, "
        "took_ns = ?, cpu_s = coalesce(?, cpu_s), memory_bytes = coalesce(?, memory_bytes) WHERE run = ? AND id = ?",
        (
            event.state,
            event.time_ns if StepState(event.state).ended else 0,
            dump(body["outputs"]) if "outputs" in body else None,
            dump(body.get("error", {})),
            storable(body.get("reason", "")),
            int(body.get("took_s", 0) * 1e9),
            body.get("cpu_s"),
            body.get("memory_bytes"),
            event.run,
            event.step,
        ),
    )


def _intent(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "UPDATE step SET state = ?, attempt = ?, started_ns = ?, ended_ns = 0, took_ns = 0, error = '{}', reason = '', "
        "origin = '', cpu_s = 0, memory_bytes = 0 WHERE run = ? AND id = ?",
        (event.state, event.attempt, event.time_ns, event.run, event.step),
    )


def _paused(connection: sqlite3.Connection, event: Event) -> None:
    """Pause a step; what went wrong stays in sight."""
    connection.execute(
        "UPDATE step SET state = ?, reason = coalesce(?, reason), error = coalesce(?, error) WHERE run = ? AND id = ?",
        (
            *(event.state, storable(event.body["reason"]) if "reason" in event.body else None),
            *(dump(event.body["error"]) if "error" in event.body else None, event.run, event.step),
        ),
    )


def _reused(connection: sqlite3.Connection, event: Event) -> None:
    """Take a step over from another run, with its outputs."""
    _step(connection, event)
    connection.execute(
        "UPDATE step SET origin = ? WHERE run = ? AND id = ?", (event.body["origin"], event.run, event.step)
    )


def _expanded(connection: sqlite3.Connection, event: Event) -> None:
    """Add the steps that a foreach step has become, right behind it."""
    rows = connection.execute("SELECT position FROM step WHERE run = ? AND id = ?", (event.run, event.step)).fetchall()
    cells = [
        (cell["id"], rows[0][0], number, cell["name"], cell["uses"], dump(cell["matrix"]), cell["fingerprint"])
        for number, cell in enumerate(event.body["cells"], start=1)
    ]
    insert_steps(connection, event.run, cells)
    _step(connection, event)


def _run_created(connection: sqlite3.Connection, event: Event) -> None:
    body = event.body
    connection.execute(
        "INSERT INTO run (id, name, state, workflow, created_ns, params, provenance, parent, plan) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(event.run, body["name"], event.state, body["workflow"], event.time_ns),
            *(dump(body["params"]), dump(body["provenance"]), body["parent"], body["plan"]),
        ),
    )


def _run_resumed(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "UPDATE run SET state = ?, ended_ns = 0, sessions = sessions + 1 WHERE id = ?", (event.state, event.run)
    )


def _run(connection: sqlite3.Connection, event: Event) -> None:
    ended = event.time_ns if event.state != RunState.RUNNING else 0
    connection.execute("UPDATE run SET state = ?, ended_ns = ? WHERE id = ?", (event.state, ended, event.run))


def _replanned(connection: sqlite3.Connection, event: Event) -> None:
    """Go on with another plan: steps that it does not have are forgotten, new ones are planned."""
    body = event.body
    connection.execute(
        "UPDATE run SET plan = ?, workflow = ?, params = ?, provenance = ? WHERE id = ?",
        (body["plan"], body["workflow"], dump(body["params"]), dump(body["provenance"]), event.run),
    )
    before = {row[0] for row in connection.execute("SELECT id FROM step WHERE run = ?", (event.run,))}
    rows = {row[0]: row for row in body["steps"]}
    connection.executemany(
        "DELETE FROM step WHERE run = ? AND id = ?", [(event.run, id_) for id_ in before - set(rows)]
    )
    connection.executemany(
        "UPDATE step SET position = ?, cell = ?, name = ?, uses = ?, matrix = ?, fingerprint = ? "
        "WHERE run = ? AND id = ?",
        [(*row[1:], event.run, id_) for id_, row in rows.items() if id_ in before],
    )
    insert_steps(connection, event.run, [tuple(row) for id_, row in rows.items() if id_ not in before])


def _resource_intended(connection: sqlite3.Connection, event: Event) -> None:
    body = event.body
    connection.execute(
        "INSERT INTO resource (id, run, step, attempt, kind, name, inside, state, detail, created_ns, updated_ns, "
        "expires_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(body["id"], event.run, event.step, event.attempt, body["kind"], body["name"], body["inside"]),
            *(ResourceState.INTENT, dump(body["detail"]), event.time_ns, event.time_ns, body["expires_ns"]),
        ),
    )


def _resource_created(connection: sqlite3.Connection, event: Event) -> None:
    body = event.body
    connection.execute(
        "UPDATE resource SET state = ?, external_id = ?, detail = ?, updated_ns = ? WHERE id = ?",
        (ResourceState.CREATED, body["external_id"], dump(body["detail"]), event.time_ns, body["id"]),
    )


def _resource_deleted(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "UPDATE resource SET state = ?, updated_ns = ? WHERE id = ?",
        (ResourceState.DELETED, event.time_ns, event.body["id"]),
    )


def _parts_booked(connection: sqlite3.Connection, event: Event) -> None:
    connection.executemany(
        "INSERT INTO part (path, run, step, attempt, tbl, rows, time_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (path, event.run, event.step, event.attempt, table, rows, event.time_ns)
            for table, path, rows in event.body["parts"]
        ],
    )


def _parts_dropped(connection: sqlite3.Connection, event: Event) -> None:
    connection.executemany("DELETE FROM part WHERE path = ?", [(path,) for path in event.body["parts"]])


_FOLDS: Mapping[str, Callable[[sqlite3.Connection, Event], None]] = {
    "run_created": _run_created,
    "run_resumed": _run_resumed,
    "replanned": _replanned,
    "intent": _intent,
    "paused": _paused,
    "reused": _reused,
    "expanded": _expanded,
    RESOURCE_INTENDED: _resource_intended,
    RESOURCE_CREATED: _resource_created,
    RESOURCE_DELETED: _resource_deleted,
    PARTS_BOOKED: _parts_booked,
    PARTS_DROPPED: _parts_dropped,
}
"""What other kinds of events do than to set the state of their run or step."""
