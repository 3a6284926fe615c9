"""`rallyflow resources [RUN]`."""

from __future__ import annotations

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import print_json, print_table
from rallyflow.errors import Exit
from rallyflow.settings import Home


@click.command("resources", short_help="list what runs left")
@click.argument("run", required=False, shell_complete=completing("runs"))
@home_option
@json_option
def command(run: str | None, home: str | None, as_json: bool) -> Exit:
    """List everything outside that runs made and did not remove: of one run, or of all."""
    reader = open_reader(Home.find(home))
    resources = reader.resources(reader.find(run).id if run else None)
    columns = ("id", "run", "step", "kind", "name", "state", "external_id")
    rows = [tuple(getattr(each, name) for name in columns) for each in resources]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)
    return Exit.OK
