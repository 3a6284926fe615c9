"""Folds all events of a journal again, and compares with what its tables say; puts the tables right if asked to.

A run that was begun by a version that folded in another way, or whose events do not hold everything, is compared only
where any version's events tell: its state, the states and attempts of its steps, what was booked by events.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rallyflow.journal.event import Event
from rallyflow.journal.fold import FOLD, PLANNED_COLUMNS, fold, insert_steps
from rallyflow.journal.schema import migrate
from rallyflow.model.ids import RunId, StepId

Planned = Callable[[RunId, str], Sequence[tuple[Any, ...]] | None]
"""Gives what a plan file of a run says of its steps, in the order of PLANNED_COLUMNS; None when it can't be read."""
Row = Mapping[str, Any]

KEYS = {"run": ("id",), "step": ("run", "id"), "resource": ("id",), "part": ("path",)}
"""The tables that are folds of the events, each with the columns that name a row."""
_ORDERS = {"run": "rowid", "step": "run, position, cell", "resource": "id", "part": "rowid"}
_OLDER = {"run": ("state",), "step": ("state", "attempt"), "resource": ("state", "external_id"), "part": ("rows",)}


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a table does not say what the events do. Without a column, one of them has no such row."""

    run: RunId
    table: str
    key: str
    column: str
    booked: Any
    told: Any

    def __str__(self) -> str:
        if not self.column:
            return f"{self.table} {self.key}: {'is not there' if self.booked is None else 'no event tells of it'}"
        return f"{self.table} {self.key}: {self.column} is {self.booked!r}, but the events say {self.told!r}"


@dataclass(slots=True)
class Refolded:
    """What the events say: tables in memory, and which runs are whole in them."""

    connection: sqlite3.Connection
    whole: set[RunId] = field(default_factory=set)
    seen: set[RunId] = field(default_factory=set)
    unreadable: list[tuple[int, str]] = field(default_factory=list)  # events by number, and what is wrong with each


def refold(journal: sqlite3.Connection, planned: Planned) -> Refolded:
    """Fold every event that a connection sees into tables in memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    migrate(memory)
    found = Refolded(memory)
    memory.execute("BEGIN")
    for number, *values, body in journal.execute(
        "SELECT seq, kind, run, step, attempt, state, time_ns, body FROM event ORDER BY seq"
    ):
        try:
            kind, run, step, attempt, state, time_ns = values
            event = Event(kind, RunId(run), StepId(step), attempt, state, time_ns, json.loads(body))
            _fold(journal, found, event, planned)
        except (ValueError, KeyError, TypeError, IndexError, sqlite3.Error) as error:
            if values[1] in found.whole:
                found.unreadable.append((number, f"{values[0]} of {values[1]}: {type(error).__name__}: {error}"))
    memory.execute("COMMIT")
    return found


def _fold(journal: sqlite3.Connection, found: Refolded, event: Event, planned: Planned) -> None:
    first = event.run not in found.seen
    found.seen.add(event.run)
    if first and event.kind == "run_created" and event.body.get("fold") == FOLD:
        found.whole.add(event.run)
        fold(found.connection, event)
        rows = event.body.get("steps") or planned(event.run, event.body["plan"])
        insert_steps(found.connection, event.run, _planned(journal, event.run) if rows is None else rows)
    elif first:
        _begin_as_booked(journal, found, event.run)
    elif event.kind != "run_created":
        fold(found.connection, event)


def _begin_as_booked(journal: sqlite3.Connection, found: Refolded, run: RunId) -> None:
    """Take from the tables what the events of an older version do not tell: the run, and its steps as planned."""
    for row in _rows(journal, "run", run):
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        found.connection.execute(f"INSERT INTO run ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
    insert_steps(found.connection, run, _planned(journal, run))


def _planned(journal: sqlite3.Connection, run: str) -> list[tuple[Any, ...]]:
    """Return the steps of a run as planned, from the table; those that a foreach step became come from its event."""
    columns = ", ".join(PLANNED_COLUMNS)
    return journal.execute(f"SELECT {columns} FROM step WHERE run = ? AND cell = 0", (run,)).fetchall()  # noqa: S608


def differences(journal: sqlite3.Connection, found: Refolded) -> list[Difference]:
    """Return where the tables that a connection sees differ from what the events say."""
    runs = {row["id"] for row in _rows(journal, "run")} | found.seen
    return [each for table in KEYS for run in sorted(runs) for each in _compared(journal, found, table, RunId(run))]


def _compared(journal: sqlite3.Connection, found: Refolded, table: str, run: RunId) -> Iterator[Difference]:
    booked, told = _by_key(journal, table, run), _by_key(found.connection, table, run)
    whole = run in found.whole
    for key in {**booked, **told}:
        name = " ".join(map(str, key))
        if key not in booked or key not in told:
            if key not in booked or whole:
                yield Difference(run, table, name, "", "a row" if key in booked else None, None)
            continue
        for column in booked[key] if whole else _OLDER[table]:
            if booked[key][column] != told[key][column]:
                yield Difference(run, table, name, column, booked[key][column], told[key][column])


def rebuild(journal: sqlite3.Connection, found: Refolded, runs: Collection[RunId]) -> None:
    """Make the tables say of these runs what their events do, in the transaction that is open."""
    for run in sorted(runs):
        if run in found.whole:
            for table in KEYS:
                journal.execute(f"DELETE FROM {table} WHERE {_owner(table)} = ?", (run,))  # noqa: S608
                _insert(journal, table, _rows(found.connection, table, run))
        else:
            for difference in _older_differences(journal, found, run):
                _set(journal, difference)
    _in_order_of_their_making(journal)


def _older_differences(journal: sqlite3.Connection, found: Refolded, run: RunId) -> list[tuple[str, Row, Row]]:
    pairs = []
    for table in KEYS:
        booked, told = _by_key(journal, table, run), _by_key(found.connection, table, run)
        pairs += [(table, booked.get(key, {}), row) for key, row in told.items()]
    return pairs


def _set(journal: sqlite3.Connection, pair: tuple[str, Row, Row]) -> None:
    table, booked, told = pair
    if not booked:
        _insert(journal, table, [told])
        return
    changes = ", ".join(f"{column} = ?" for column in _OLDER[table])
    where = " AND ".join(f"{column} = ?" for column in KEYS[table])
    values = [told[column] for column in (*_OLDER[table], *KEYS[table])]
    journal.execute(f"UPDATE {table} SET {changes} WHERE {where}", values)  # noqa: S608


def _in_order_of_their_making(journal: sqlite3.Connection) -> None:
    """Put runs into the order in which they were made, which is that of their first events."""
    firsts = dict(journal.execute("SELECT run, min(seq) FROM event GROUP BY run"))
    rows = list(_rows(journal, "run"))
    journal.execute("DELETE FROM run")
    _insert(journal, "run", sorted(rows, key=lambda row: firsts.get(row["id"], 0)))


def _insert(journal: sqlite3.Connection, table: str, rows: Sequence[Row] | Iterator[Row]) -> None:
    for row in rows:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        journal.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608


def _by_key(connection: sqlite3.Connection, table: str, run: RunId) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[name] for name in KEYS[table]): row for row in _rows(connection, table, run)}


def _rows(connection: sqlite3.Connection, table: str, run: str | None = None) -> Iterator[Row]:
    where = "" if run is None else f"WHERE {_owner(table)} = ?"
    query = f"SELECT * FROM {table} {where} ORDER BY {_ORDERS[table]}"  # noqa: S608
    cursor = connection.execute(query, () if run is None else (run,))
    names = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        yield dict(zip(names, row, strict=True))


def _owner(table: str) -> str:
    return "id" if table == "run" else "run"
