"""`rallyflow runs`."""

from __future__ import annotations

import time

import click

from rallyflow.cli.options import home_option, json_option, open_reader
from rallyflow.cli.output import print_json, print_table
from rallyflow.errors import Exit
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState
from rallyflow.settings import Home
from rallyflow.units import format_duration

DEAD = "dead"
"""What a run is shown as that the journal has as running, but no process works on."""


@click.command("runs", short_help="list the runs")
@home_option
@json_option
def command(home: str | None, as_json: bool) -> Exit:
    """List the runs, the newest last. A run whose process is gone shows as `dead`: resume or destroy it."""
    place = Home.find(home)
    runs = open_reader(place).runs()
    rows = [(run.id, run.name, shown_state(place, run), _when(run.created_ns), _took(run)) for run in runs]
    columns = ("run", "name", "state", "started", "took")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
    return Exit.OK


def shown_state(place: Home, run: RunRecord) -> str:
    """Return a run's state; `dead` for one that the journal has as running but no process works on."""
    from rallyflow.engine.locks import is_worked_on

    if run.state is RunState.RUNNING and not is_worked_on(place.run(run.id)):
        return DEAD
    return run.state


def _when(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds / 1e9))


def _took(run: RunRecord) -> str:
    return format_duration((run.ended_ns - run.created_ns) / 1e9) if run.ended_ns else "-"
