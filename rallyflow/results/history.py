"""`results.duckdb`, the history over all runs. It can be lost: the parts and the journal rebuild it.

DuckDB lets one process write and none read beside it, so the file is open only for the moment of an ingest.
What can't be ingested now (another process holds the file, or it is damaged) is told, never raised: a run does
not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import tenacity

from rallyflow.errors import DiskFull
from rallyflow.model.records import Part, RunRecord, StepRecord
from rallyflow.results import catalogue

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class IngestState(StrEnum):
    """How an ingest ended."""

    DONE = "done"
    BUSY = "busy"  # another process held the file for as long as we were ready to wait
    UNUSABLE = "unusable"  # the file, or a part, can't be read: `rebuild` makes the file anew


@dataclass(frozen=True, slots=True)
class Ingest:
    """What an ingest did. Counts are of this ingest alone: zero when all was there already."""

    state: IngestState
    parts: int = 0
    rows: int = 0
    detail: str = ""


def ingest(
    database: Path,
    runs: Sequence[RunRecord],
    steps: Sequence[StepRecord],
    parts: Sequence[Part],
    *,
    patience: float = 10.0,
) -> Ingest:
    """Bring the records of `runs` and `steps` up to date, and add the parts that are not in the history yet.

    All or nothing, in one transaction. Waits up to `patience` seconds for another process. Raises DiskFull.
    """
    import duckdb

    try:
        connection = _open(database, patience)
    except duckdb.IOException as error:
        return _explain(error, database)
    except duckdb.Error as error:
        return Ingest(IngestState.UNUSABLE, detail=str(error))
    try:
        return _fill(connection, runs, steps, parts)
    except duckdb.IOException as error:
        return _explain(error, database)
    except duckdb.Error as error:
        return Ingest(IngestState.UNUSABLE, detail=str(error))
    finally:
        connection.close()


def rebuild(
    database: Path,
    runs: Sequence[RunRecord],
    steps: Sequence[StepRecord],
    parts: Sequence[Part],
    *,
    patience: float = 10.0,
) -> Ingest:
    """Make the history anew beside the old file, and put it in its place when it is complete.

    The old file stays as it is unless the state is done. Raises DiskFull.
    """
    fresh = database.with_name(f"{database.name}.new")
    _remove(fresh)
    try:
        result = ingest(fresh, runs, steps, parts, patience=patience)
        if result.state is IngestState.DONE:
            fresh.replace(database)
    finally:
        _remove(fresh)
    return result


def _open(database: Path, patience: float) -> DuckDBPyConnection:
    import duckdb

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(patience),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=0.5),
        retry=tenacity.retry_if_exception(_is_lock),
        reraise=True,
    )
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": catalogue.THREADS,
        "memory_limit": catalogue.MEMORY,
    }
    return retrying(duckdb.connect, str(database), config=config)


def _is_lock(error: BaseException) -> bool:
    return "Could not set lock" in str(error)


def _explain(error: Exception, database: Path) -> Ingest:
    if "No space left" in str(error) or "Disk quota" in str(error):
        raise DiskFull(
            f"no space left to write {database}",
            hint="free some space; the history is brought up to date with the next step",
        ) from error
    return Ingest(IngestState.BUSY if _is_lock(error) else IngestState.UNUSABLE, detail=str(error))


def _fill(
    connection: DuckDBPyConnection,
    runs: Sequence[RunRecord],
    steps: Sequence[StepRecord],
    parts: Sequence[Part],
) -> Ingest:
    connection.execute("BEGIN")
    _create_tables(connection)
    _replace_records(connection, runs, steps)
    known = {str(row[0]) for row in connection.execute("SELECT part FROM ingested").fetchall()}
    new = {key(part): part for part in parts if key(part) not in known}
    for table in catalogue.ADDED:
        _add_parts(connection, table, [part for part in new.values() if part.table == table])
    if new:
        connection.executemany(
            "INSERT INTO ingested VALUES (?, ?, ?, now())",
            [(name, part.table, part.rows) for name, part in new.items()],
        )
    connection.execute("COMMIT")
    return Ingest(IngestState.DONE, len(new), sum(part.rows for part in new.values()))


def key(part: Part) -> str:
    """Return what identifies a part in the history: its place below the home, which may be moved."""
    return "/".join((part.run, part.step, str(part.attempt), part.table, part.path.name))


def _create_tables(connection: DuckDBPyConnection) -> None:
    for statement in (catalogue.RUNS_SQL, catalogue.STEPS_SQL):
        connection.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
    for table in catalogue.ADDED:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({catalogue.schema_sql(table)})")
    for table, columns in catalogue.LATER.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ingested "
        "(part VARCHAR PRIMARY KEY, table_name VARCHAR, rows BIGINT, ingested_at TIMESTAMPTZ)"
    )


def _replace_records(connection: DuckDBPyConnection, runs: Sequence[RunRecord], steps: Sequence[StepRecord]) -> None:
    if runs:
        connection.executemany("DELETE FROM runs WHERE run = ?", [(run.id,) for run in runs])
    if steps:
        connection.executemany("DELETE FROM steps WHERE run = ?", [(run,) for run in {step.run for step in steps}])
    catalogue.insert_records(connection, runs, steps)


def _add_parts(connection: DuckDBPyConnection, table: str, parts: Sequence[Part]) -> None:
    if parts:
        source = catalogue.parquet_sql(part.path for part in parts)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {source}")  # noqa: S608 - quoted by us


def _remove(database: Path) -> None:
    for path in (database, database.with_name(f"{database.name}.wal")):
        path.unlink(missing_ok=True)
