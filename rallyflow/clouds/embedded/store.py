"""The rows of the simulated cloud, in memory and in an append-only log that survives a kill at any instant.

A row is a JSON document with an `id`, and is never changed in place: `put` replaces it. Each change is one
line that is handed to the kernel before the call returns, so the death of the process loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

Row = dict[str, Any]
"""A document as an API shows it; keys that start with an underscore stay inside."""

_NOTHING: dict[str, Row] = {}


class Table:
    """The rows of one kind, in the order of their making, findable by project."""

    __slots__ = ("_by_project", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._by_project: dict[str, dict[str, Row]] = {}

    def put(self, row: Row) -> None:
        """Insert a row, or replace the one with its id."""
        before = self.rows.get(row["id"])
        project = row.get("project_id")
        if before is not None and before.get("project_id") != project:
            self.remove(row["id"])
        self.rows[row["id"]] = row
        if project is not None:
            self._by_project.setdefault(project, {})[row["id"]] = row

    def remove(self, key: str) -> Row | None:
        """Take a row out and return it."""
        row = self.rows.pop(key, None)
        if row is not None and row.get("project_id") is not None:
            owned = self._by_project[row["project_id"]]
            del owned[key]
            if not owned:
                del self._by_project[row["project_id"]]
        return row

    def of(self, project: str | None) -> dict[str, Row]:
        """Return the rows of one project, or all of them for None."""
        return self.rows if project is None else self._by_project.get(project, _NOTHING)


class Store:
    """All tables, on top of the log in `folder`; one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "rows.jsonl"
        self._tables: dict[str, Table] = {}
        self._replay()
        self._descriptor = self._compact()

    def table(self, name: str) -> Table:
        """Return a table; one that has no rows yet is empty."""
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table()
        return table

    def get(self, table: str, key: str) -> Row | None:
        """Return a row, or None."""
        return self.table(table).rows.get(key)

    def rows(self, table: str, project: str | None = None) -> Iterable[Row]:
        """Return the rows of a table, of one project or of all, oldest first; not to be changed meanwhile."""
        return self.table(table).of(project).values()

    def put(self, table: str, row: Row) -> Row:
        """Insert or replace a row; it is in the kernel's hands when this returns."""
        self._append(_line(table, row["id"], row))
        self.table(table).put(row)
        return row

    def remove(self, table: str, key: str) -> None:
        """Remove a row if it is there."""
        if key in self.table(table).rows:
            self._append(_line(table, key, None))
            self.table(table).remove(key)

    def close(self) -> None:
        """Close the log."""
        os.close(self._descriptor)

    def _append(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise OSError(f"{self._path}: the disk took only {written} of {len(line)} bytes")

    def _replay(self) -> None:
        for name, key, row in read_log(self._path):
            if row is None:
                self.table(name).remove(key)
            else:
                self.table(name).put(row)

    def _compact(self) -> int:
        """Write the log anew without what was replaced or removed, and return a descriptor to append to."""
        fresh = self._path.with_suffix(".new")
        with open(fresh, "wb", opener=_private) as file:
            for name, table in self._tables.items():
                file.writelines(_line(name, key, row) for key, row in table.rows.items())
        fresh.rename(self._path)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND)


def read_log(path: Path) -> Iterator[tuple[str, str, Row | None]]:
    """Yield every whole change in a log, as (table, id, row or None); a torn last line is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            change = orjson.loads(line)
            yield change["t"], change["k"], change["v"]


def _line(table: str, key: str, row: Row | None) -> bytes:
    return orjson.dumps({"t": table, "k": key, "v": row}, option=orjson.OPT_APPEND_NEWLINE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
