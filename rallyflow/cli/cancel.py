"""`rallyflow cancel [RUN]`."""

from __future__ import annotations

import time

import click

from rallyflow.cli.asking import who
from rallyflow.cli.ending import say_ending
from rallyflow.cli.following import Following
from rallyflow.cli.live import Lines
from rallyflow.cli.options import home_option, json_option, open_reader, run_argument
from rallyflow.cli.output import colour, print_json, say
from rallyflow.engine.abandoning import abandon, check_open
from rallyflow.engine.control import STOP_ASKED
from rallyflow.engine.locks import is_worked_on
from rallyflow.engine.messages import Stop
from rallyflow.engine.session import Ending
from rallyflow.errors import Exit, UsageError
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.model.ids import RunId
from rallyflow.model.states import RunState
from rallyflow.settings import Home


@click.command("cancel", short_help="stop a run from another terminal")
@run_argument
@click.option("--safely", is_flag=True, help="Let steps come to a safe point, remove nothing; `resume` goes on")
@click.option("--no-wait", is_flag=True, help="Do not wait until the run has ended")
@home_option
@json_option
def command(run: str, safely: bool, no_wait: bool, home: str | None, as_json: bool) -> Exit:
    """Cancel a run: end its steps, and remove what it made as its workflow says. Waits until that is done.

    \b
    rallyflow cancel            what Ctrl-C does when it is pressed twice in the run's terminal
    rallyflow cancel --safely   what Ctrl-C does when it is pressed once

    Also a run that no process works on (it has paused, was interrupted, or its process was killed) is cancelled. Ends
    with 0 when the run has ended, and with 9 when something that it made could not be removed.
    """  # noqa: D301 - \b is click's mark
    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    check_open(record)
    stage = Stop.SAFELY if safely else Stop.NOW
    ending = None
    if record.state is RunState.RUNNING and is_worked_on(place.run(record.id)):
        last = reader.last_event()
        _ask(reader, record.id, stage)
        if no_wait:
            return _asked(record.id, stage, as_json=as_json)
        ending = _followed(place, reader, record.id, last)
    if ending is None and safely:
        raise UsageError(
            f"no process works on run {record.id}: it has stopped already",
            hint=f"go on: rallyflow resume {record.id}   or cancel it for good: rallyflow cancel {record.id}",
        )
    return _report(ending or abandon(place, record.id, Lines(), by=who()), as_json=as_json)


def _ask(reader: JournalReader, run: RunId, stage: Stop) -> None:
    body = {"stage": int(stage), "by": who()}
    reader.journal.record([Event(STOP_ASKED, run, time_ns=time.time_ns(), body=body)])


def _asked(run: RunId, stage: Stop, *, as_json: bool) -> Exit:
    if as_json:
        print_json({"run": run, "stage": int(stage)})
    else:
        say(f"run {run} was asked to {'stop' if stage is Stop.SAFELY else 'cancel'}")
        say(f"{colour('next', 'cyan')}: rallyflow watch {run}")
    return Exit.OK


def _followed(place: Home, reader: JournalReader, run: RunId, last: int) -> Ending | None:
    """Show what happens until the run has ended; None when its process died before that."""
    following = Following(place, reader, run, Lines(), after=last)
    try:
        following.follow()
    except KeyboardInterrupt:
        say(f"\nthe run stops all the same; watch it: rallyflow watch {run}")
        raise
    ending = following.ending()
    return ending if ending.state is not RunState.RUNNING else None


def _report(ending: Ending, *, as_json: bool) -> Exit:
    if as_json:
        left = [
            {"kind": each.resource.kind, "name": each.resource.name, "error": each.error.what} for each in ending.left
        ]
        print_json({"run": ending.run, "state": ending.state, "left": left})
    else:
        say_ending(ending)
    return Exit.LEFT_BEHIND if ending.left else Exit.OK
