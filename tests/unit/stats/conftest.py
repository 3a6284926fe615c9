"""A DuckDB connection with the views of measurements over plain tables that a test fills."""

from __future__ import annotations

import pytest

from rallyflow.results.catalogue import connect
from rallyflow.results.schema import TABLES
from rallyflow.stats.cells import prepare


class Rows:
    """Takes rows for `iterations` and `actions` with defaults for what a test does not care about."""

    def __init__(self, connection):
        self.connection = connection

    def iteration(self, number, seconds, *, started=None, error=None, step="load", attempt=1, idle=0.0):
        started = number if started is None else started
        self._add(
            "iterations",
            {
                "run": "r",
                "step": step,
                "attempt": attempt,
                "iteration": number,
                "process": 0,
                "thread": 0,
                "planned_ns": int(started * 1e9),
                "started_ns": int(started * 1e9),
                "duration_ns": int(seconds * 1e9),
                "idle_ns": int(idle * 1e9),
                "error_type": error,
            },
        )

    def action(self, number, position, name, seconds, *, ok=True, parent=-1, step="load"):
        self._add(
            "actions",
            {
                "run": "r",
                "step": step,
                "attempt": 1,
                "iteration": number,
                "position": position,
                "parent": parent,
                "name": name,
                "started_ns": int(number * 1e9),
                "duration_ns": int(seconds * 1e9),
                "ok": ok,
                "requests": 1,
                "http_ns": 0,
                "poll_ns": 0,
            },
        )

    def ready(self):
        prepare(self.connection)
        return self.connection

    def _add(self, table, row):
        names = TABLES[table].names
        marks = ", ".join("?" * len(names))
        self.connection.execute(f"INSERT INTO {table}_rows VALUES ({marks})", [row.get(name) for name in names])


@pytest.fixture
def rows():
    with connect([], [], []) as connection:
        for table in ("iterations", "actions"):
            connection.execute(f"CREATE TABLE {table}_rows AS SELECT {', '.join(TABLES[table].names)} FROM {table}")
            added = ", error_type IS NULL AS ok" if table == "iterations" else ""
            connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT *{added} FROM {table}_rows")
        yield Rows(connection)
