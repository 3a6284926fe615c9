"""One DuckDB connection over the measurements of some runs, in memory, over Parquet parts in place.

`runs` and `steps` come from the journal's records; every table of `results.schema` is a view over exactly the
parts that are given, with a few columns added that people like better than nanoseconds. Nothing is copied.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.errors import StorageError
from rallyflow.model.records import Attempt, Part, RunRecord, StepRecord

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THREADS = 2
MEMORY = "768MB"

_TYPES = {
    "string": "VARCHAR",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
}
_STARTED_AT = "make_timestamp_ns(started_ns) AS started_at"
_SECONDS = "duration_ns / 1e9 AS duration_s"
ADDED = {
    "iterations": (
        "error_type IS NULL AS ok",
        _STARTED_AT,
        _SECONDS,
        "idle_ns / 1e9 AS idle_s",
        "(started_ns - planned_ns) / 1e9 AS late_s",
    ),
    "actions": (_STARTED_AT, _SECONDS, "http_ns / 1e9 AS http_s"),
    "sla": (),
    "tests": (_STARTED_AT, _SECONDS),
    "telemetry": ("make_timestamp_ns(at_ns) AS sampled_at",),
}
"""Columns that the views have beyond those of the parts."""

RUNS_SQL = """
CREATE TABLE runs (
  run VARCHAR, name VARCHAR, state VARCHAR, workflow VARCHAR, started_at TIMESTAMP_NS, ended_at TIMESTAMP_NS,
  duration_s DOUBLE, sessions INTEGER, params JSON, provenance JSON, parent VARCHAR
)"""
STEPS_SQL = """
CREATE TABLE steps (
  run VARCHAR, position INTEGER, step VARCHAR, name VARCHAR, uses VARCHAR, state VARCHAR, attempt INTEGER,
  started_at TIMESTAMP_NS, ended_at TIMESTAMP_NS, duration_s DOUBLE, matrix JSON, outputs JSON, error JSON,
  reason VARCHAR, cpu_s DOUBLE, memory_bytes BIGINT, origin VARCHAR
)"""
ATTEMPTS_SQL = """
CREATE TABLE attempts (
  run VARCHAR, step VARCHAR, attempt INTEGER, state VARCHAR, started_at TIMESTAMP_NS, duration_s DOUBLE, cpu_s DOUBLE,
  memory_bytes BIGINT, error_code VARCHAR, error_class VARCHAR, error VARCHAR, reason VARCHAR, followed_by VARCHAR
)"""
LATER = {
    "runs": ("parent VARCHAR",),
    "steps": ("cpu_s DOUBLE", "memory_bytes BIGINT", "origin VARCHAR"),
    "tests": ("detail VARCHAR", "tags VARCHAR", "worker VARCHAR", "attempts INTEGER"),
}
"""Columns at the end of tables that a history, or a part, of an earlier version does not have."""

COMMENTS = {
    "runs.sessions": "one, and one more for each resume",
    "runs.params": "what the run was started with, as JSON",
    "runs.provenance": "what ran where: versions, host, processor, seed, as JSON",
    "steps.position": "the place in the plan, from 0",
    "steps.name": "the key in the file; the cells of one matrix share it",
    "steps.attempt": "from 1; 0 is a step that never started",
    "runs.parent": "the run that it is a rerun of",
    "steps.duration_s": "of the last attempt, by a clock that nobody steps",
    "steps.cpu_s": "processor time of the last attempt, with all of its processes",
    "steps.memory_bytes": "the most that the last attempt held at a time; 0 for what runs inside the engine",
    "steps.origin": "the run that the outcome was taken over from",
    "attempts.duration_s": "null while it is in flight, and when its engine died",
    "attempts.error_class": "transient, permanent, timeout, user, bug or storage: what retry policies name",
    "attempts.followed_by": "why there is another attempt: the delay of a retry, or a resume",
    "steps.matrix": "the values of the matrix axes of this cell, as JSON",
    "iterations.iteration": "unique within a step, over all of its attempts",
    "iterations.planned_ns": "when it should have started (UTC); started_ns in a closed load",
    "iterations.duration_ns": "without idle_ns",
    "iterations.idle_ns": "deliberate sleeping of the scenario",
    "iterations.error_type": "null when the iteration succeeded",
    "iterations.error_action": "the action in which the error happened; null outside of any",
    "iterations.late_s": "how much later than planned it started, in seconds",
    "actions.position": "order within the iteration, from 0",
    "actions.parent": "position of the enclosing action, -1 at the top",
    "actions.http_ns": "time spent in HTTP requests",
    "actions.poll_ns": "last interval of polling: the resolution of the action's end, 0 is exact",
    "sla.action": "null: the whole iteration",
    "sla.measured": "seconds or a fraction; null when there was no data",
    "tests.state": "passed, failed, skipped, xfail (failed as expected), uxsuccess (passed unexpectedly), errored",
    "tests.detail": "the traceback of a test that failed",
    "tests.tags": "with commas between them",
    "tests.attempts": "more than one: it was run again because it had failed",
    "telemetry.metric": "cpu (fraction of one core), rss_bytes, ...",
}


def connect(
    runs: Sequence[RunRecord],
    steps: Sequence[StepRecord],
    parts: Sequence[Part],
    attempts: Sequence[Attempt] = (),
    *,
    memory: str = MEMORY,
) -> DuckDBPyConnection:
    """Return an in-memory connection with `runs`, `steps`, `attempts` and a view for each table of measurements.

    Every view exists, with its types, even if no part has rows for it. A part that is booked but missing or
    unreadable raises StorageError. The caller closes the connection.
    """
    import duckdb

    missing = [part.path for part in parts if not part.path.is_file()]
    if missing:
        raise StorageError(
            f"{len(missing)} booked parts are missing, the first is {missing[0]}",
            hint="put the files back; other runs are not affected",
        )
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": memory, "temp_directory": str(_spill())})
    try:
        _create_views(connection, parts)
        create_records(connection, runs, steps)
        _create_attempts(connection, attempts)
    except duckdb.Error as error:
        connection.close()
        raise StorageError(f"the measurements can't be read: {error}") from error
    return connection


def create_records(connection: DuckDBPyConnection, runs: Sequence[RunRecord], steps: Sequence[StepRecord]) -> None:
    """Create the tables `runs` and `steps`, with comments, and fill them."""
    connection.execute(RUNS_SQL)
    connection.execute(STEPS_SQL)
    insert_records(connection, runs, steps)
    _comment(connection, "runs", "TABLE")
    _comment(connection, "steps", "TABLE")


def _create_attempts(connection: DuckDBPyConnection, attempts: Sequence[Attempt]) -> None:
    connection.execute(ATTEMPTS_SQL)
    if attempts:
        connection.executemany(_insert("attempts", 13), [_attempt_row(attempt) for attempt in attempts])
    _comment(connection, "attempts", "TABLE")


def insert_records(connection: DuckDBPyConnection, runs: Sequence[RunRecord], steps: Sequence[StepRecord]) -> None:
    """Add rows to the tables `runs` and `steps`; a step's position is its place among those of its run."""
    if runs:
        connection.executemany(_insert("runs", 11), [_run_row(run) for run in runs])
    counts: dict[str, int] = {}
    rows = []
    for step in steps:
        position = counts.setdefault(step.run, 0)
        counts[step.run] += 1
        rows.append(_step_row(step, position))
    if rows:
        connection.executemany(_insert("steps", 17), rows)


def schema_sql(table: str) -> str:
    """Return the columns of a table of measurements as DuckDB declares them: `name TYPE, ...`."""
    from rallyflow.results.schema import TABLES

    return ", ".join(f"{field.name} {_TYPES[str(field.type)]}" for field in TABLES[table])


def parquet_sql(paths: Iterable[Path]) -> str:
    """Return `read_parquet([...])` over exactly these files: no path is a pattern or ends the quotes."""
    quoted = ", ".join(quote(re.sub(r"([*?\[])", r"[\1]", str(path))) for path in paths)
    return f"read_parquet([{quoted}])"


def quote(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def json_text(value: Mapping[str, Any]) -> str:
    """Return JSON for a column; anything that JSON does not know (paths, times) becomes its text."""
    import orjson

    return orjson.dumps(dict(value), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _spill() -> Path:
    """Return a folder for what does not fit into memory; DuckDB makes it when needed and removes it at the end."""
    return Path(tempfile.gettempdir()) / f"rallyflow-{secrets.token_hex(8)}"


def _create_views(connection: DuckDBPyConnection, parts: Sequence[Part]) -> None:
    for table, added in ADDED.items():
        paths = [part.path for part in parts if part.table == table and part.rows]
        source = _source_sql(table, paths) if paths else _empty_sql(table)
        connection.execute(f"CREATE VIEW {table} AS SELECT {', '.join(('*', *added))} FROM {source}")  # noqa: S608 - quoted
        _comment(connection, table, "VIEW")


def _source_sql(table: str, paths: Sequence[Path]) -> str:
    """Return what reads the parts; those of an earlier version have null in the columns that came later."""
    source = parquet_sql(paths)
    if table not in LATER:
        return source
    named = source.removesuffix(")") + ", union_by_name = true)"
    return f"(SELECT * FROM {_empty_sql(table)} UNION ALL BY NAME SELECT * FROM {named})"  # noqa: S608 - quoted


def _empty_sql(table: str) -> str:
    columns = (column.split(" ") for column in schema_sql(table).split(", "))
    return f"(SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in columns)} WHERE false)"


def _comment(connection: DuckDBPyConnection, table: str, kind: str) -> None:
    connection.execute(f"COMMENT ON {kind} {table} IS {quote(_SUBJECTS[table])}")
    for column, text in COMMENTS.items():
        if column.startswith(f"{table}."):
            connection.execute(f"COMMENT ON COLUMN {column} IS {quote(text)}")


_SUBJECTS = {
    "runs": "a row for each run",
    "steps": "a row for each step, and for each cell of a matrix step",
    "attempts": "a row for each attempt of a step, with what followed it",
    "iterations": "a row for each iteration of a benchmark",
    "actions": "a row for each timed action of an iteration",
    "sla": "a row for each criterion of a benchmark's service level",
    "tests": "a row for each test of a verification",
    "telemetry": "samples taken beside the load, such as the load generator's processor time",
}


def _run_row(run: RunRecord) -> tuple[Any, ...]:
    ended = run.ended_ns or None
    return (
        run.id,
        run.name,
        str(run.state),
        str(run.workflow),
        _timestamp(run.created_ns),
        _timestamp(run.ended_ns),
        (ended - run.created_ns) / 1e9 if ended else None,
        run.sessions,
        json_text(run.params),
        json_text(run.provenance),
        run.parent,
    )


def _step_row(step: StepRecord, position: int) -> tuple[Any, ...]:
    return (
        step.run,
        position,
        step.id,
        step.name,
        step.uses,
        str(step.state),
        step.attempt,
        _timestamp(step.started_ns),
        _timestamp(step.ended_ns),
        step.took_ns / 1e9 if step.took_ns else None,
        json_text(step.matrix),
        json_text(step.outputs),
        json_text(step.error),
        step.reason,
        step.cpu_s,
        step.memory_bytes,
        step.origin,
    )


def _attempt_row(attempt: Attempt) -> tuple[Any, ...]:
    error = attempt.error
    return (
        attempt.run,
        attempt.step,
        attempt.number,
        str(attempt.state),
        _timestamp(attempt.started_ns),
        attempt.took_s,
        attempt.cpu_s,
        attempt.memory_bytes,
        error.get("code"),
        error.get("kind"),
        error.get("what"),
        attempt.reason or None,
        attempt.again or None,
    )


def _timestamp(nanoseconds: int) -> str | None:
    """Return text that DuckDB casts to TIMESTAMP_NS without loss; None for 0, which means not yet."""
    if not nanoseconds:
        return None
    from datetime import UTC, datetime

    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d}"


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - constants
