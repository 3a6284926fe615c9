"""Saves from a damaged journal what can still be read of it, row by row, into a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from rallyflow.journal.schema import migrate

_TABLES = ("run", "event", "resource", "part")
_STEP = "SELECT * FROM step ORDER BY run {0}, id {0}"
_WIDEST = 1 << 20
"""Numbers of rows that are skipped at most, to get over a hole; behind a wider one the other end is read."""


def salvage(damaged: Path, new: Path) -> dict[str, int]:
    """Write what can be read of `damaged` into `new`, which must not be there; returns the rows of each table.

    Whatever is damaged is left out, and so are leases and progress, which mean nothing by now. sqlite3.Error when not
    even the first page can be read.
    """
    source = sqlite3.connect(f"file:{quote(str(damaged))}?mode=ro", uri=True, isolation_level=None)
    source.text_factory = lambda raw: raw.decode(errors="replace")
    target = sqlite3.connect(new, isolation_level=None)
    try:
        source.execute("PRAGMA user_version").fetchone()
        migrate(target)
        target.execute("BEGIN")
        counts = {table: _copy(target, table, _rows(source, table), _columns(source, table)) for table in _TABLES}
        counts["step"] = _copy(target, "step", _steps(source), _columns(source, "step"))
        target.execute("COMMIT")
        return counts
    finally:
        source.close()
        target.close()


def _copy(target: sqlite3.Connection, table: str, rows: Iterator[tuple[object, ...]], columns: list[str]) -> int:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    count = 0
    for row in rows:
        try:
            target.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)  # noqa: S608
        except sqlite3.Error:
            continue
        count += 1
    return count


def _columns(source: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table in the damaged journal, which may be of an older version."""
    return [row[1] for row in source.execute(f"PRAGMA table_info({table})")]


def _rows(source: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """Give the rows of a table by number: from its beginning, over holes, and what is left from its end."""
    ahead = f"SELECT rowid, * FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid"  # noqa: S608
    last, step = 0, 1
    while step <= _WIDEST:
        try:
            for number, *row in source.execute(ahead, (last + step,)):
                yield tuple(row)
                last, step = number, 1
        except sqlite3.DatabaseError:
            step *= 2
        else:
            return
    try:
        for number, *row in source.execute(f"SELECT rowid, * FROM {table} NOT INDEXED ORDER BY rowid DESC"):  # noqa: S608
            if number <= last:
                return
            yield tuple(row)
    except sqlite3.DatabaseError:
        return


def _steps(source: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """Give the steps, which have no numbers: from the beginning to the damage, and from the end to it."""
    seen = set()
    for direction in ("ASC", "DESC"):
        try:
            for row in source.execute(_STEP.format(direction)):
                if row[:2] in seen:
                    return
                seen.add(row[:2])
                yield row
        except sqlite3.DatabaseError:
            continue
