"""`rallyflow watch [RUN]`."""

from __future__ import annotations

import click

from rallyflow.cli.options import home_option, json_option, open_reader, run_argument
from rallyflow.cli.output import say
from rallyflow.errors import Exit
from rallyflow.settings import Home


@click.command("watch", short_help="follow a run of another process")
@run_argument
@click.option("--no-follow", is_flag=True, help="Show what has happened so far, and end")
@home_option
@json_option
def command(run: str, no_follow: bool, home: str | None, as_json: bool) -> Exit:
    """Follow a run that another process works on: what has happened so far, then what happens, until it ends.

    Shows what `apply` shows, and ends with the exit code that the run's own process has; with that of an interrupted
    run where that process is dead. Ctrl-C ends watching, never the run. Needs no more than to read the home.
    """
    from rallyflow.cli.following import Following
    from rallyflow.cli.live import EventLines, listener

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    view = EventLines(place) if as_json else listener(place, as_json=False)
    following = Following(place, reader, record.id, view)
    try:
        if no_follow:
            if following.show():
                return Exit.OK
        else:
            following.follow()
    except KeyboardInterrupt:
        say(f"\nthe run goes on; watch it again: rallyflow watch {record.id}")
        return Exit.INTERRUPTED
    return following.ended()
