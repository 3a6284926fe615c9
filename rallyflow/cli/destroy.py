"""`rallyflow destroy RUN`."""

from __future__ import annotations

import sys

import click

from rallyflow.cli.live import Lines
from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import colour, print_json, print_table, say, show_error
from rallyflow.errors import Exit, LeftBehind
from rallyflow.settings import Home


@click.command("destroy", short_help="remove what a run made")
@click.argument("run", shell_complete=completing("runs"))
@click.option("-y", "--yes", is_flag=True, help="Do not ask")
@click.option(
    "--forget", is_flag=True, help="Strike what can't be removed off the ledger: it is gone, or will never answer again"
)
@home_option
@json_option
def command(run: str, yes: bool, forget: bool, home: str | None, as_json: bool) -> Exit:
    """Remove everything outside that a run made and did not remove, from the ledger alone.

    Works after any kind of end of the run. Its measurements, logs and reports stay.
    """
    from rallyflow.engine.session import destroy

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    resources = reader.resources(record.id)
    if resources and not yes and not as_json:
        print_table(
            ("kind", "name", "state", "step"),
            [(each.kind, each.name, each.state, each.step) for each in resources],
        )
        if sys.stdin.isatty():
            click.confirm(f"Remove these {len(resources)}?", abort=True, err=True)
    count, left = destroy(place, record.id, Lines(), forget=forget)
    failures = [{"kind": each.resource.kind, "name": each.resource.name, "error": each.error.what} for each in left]
    if as_json:
        print_json({"run": record.id, "removed": count - len(left), "forgotten" if forget else "left": failures})
    elif not count:
        say(f"run {record.id} has left nothing")
    else:
        say(f"removed {count - len(left)} of {count}")
    for failure in failures if not as_json else ():
        word = "forgotten" if forget else "left"
        say(f"  {colour(word, 'red')}: {failure['kind']} {failure['name']}: {failure['error']}")
    if left and not forget:
        show_error(
            LeftBehind(
                f"{len(left)} resources could not be removed",
                hint=f"try again: rallyflow destroy {record.id}; --forget gives up what will never answer again",
            )
        )
        return Exit.LEFT_BEHIND
    return Exit.OK
