"""`rallyflow sql QUERY`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.journal.reader import JournalReader
    from rallyflow.model.ids import RunId
    from rallyflow.model.records import Part


@click.command("sql", short_help="query the measurements")
@click.argument("query")
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="RUN",
    help="Only these runs; may be repeated  [default: all]",
    shell_complete=completing("runs"),
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV")
@home_option
@json_option
def command(query: str, runs: tuple[str, ...], as_csv: bool, home: str | None, as_json: bool) -> Exit:
    """Query the measurements with SQL (DuckDB).

    The tables are runs, steps, attempts, iterations, actions, sla, tests and telemetry.

    \b
    rallyflow sql "SELECT name, quantile_cont(duration_s, 0.95) AS p95_s FROM actions GROUP BY name"
    rallyflow sql "SELECT step, error_class, count(*) FROM attempts WHERE error_code IS NOT NULL GROUP BY ALL"
    rallyflow sql "DESCRIBE iterations"

    Works on live runs as well: it reads what has been stored so far. The measurements are never changed.
    """  # noqa: D301 - \b is click's mark
    import duckdb

    from rallyflow.results.catalogue import connect

    if not query.strip():
        raise UsageError("the query is empty", hint='try: rallyflow sql "SHOW TABLES"')
    reader = open_reader(Home.find(home))
    chosen = [reader.find(run) for run in runs] or reader.runs()
    steps = [step for run in chosen for step in reader.steps(run.id)]
    parts = [part for run in chosen for part in _parts(reader, run.id, asked=bool(runs))]
    attempts = [attempt for run in chosen for attempt in reader.attempts(run.id)]
    connection = connect(chosen, steps, parts, attempts)
    try:
        found = connection.execute(query)
        columns = [column[0] for column in found.description or ()]
        rows: list[tuple[Any, ...]] = found.fetchall() if columns else []
    except duckdb.Error as error:
        if "'pytz'" in str(error):
            raise UsageError("a time with a zone can't be shown", hint="cast it: x::TIMESTAMP") from error
        raise UsageError(
            f"the query failed: {error}", hint='see the columns: rallyflow sql "DESCRIBE actions"'
        ) from error
    finally:
        connection.close()
    _print(columns, rows, as_json=as_json, as_csv=as_csv)
    return Exit.OK


def _parts(reader: JournalReader, run: RunId, *, asked: bool) -> Sequence[Part]:
    """Return the parts of a run; none, and a warning, when files are gone of a run that nobody asked for by name."""
    parts = reader.parts(run)
    if asked or all(part.path.is_file() for part in parts):
        return parts
    say(f"{colour('warning', 'yellow')}: measurements of run {run} are missing on the disk; it is left out")
    return ()


def _print(columns: list[str], rows: list[tuple[Any, ...]], *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        print_table(columns, rows)
