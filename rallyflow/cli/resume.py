"""`rallyflow resume [RUN]`."""

from __future__ import annotations

from typing import Any

import click

from rallyflow.cli.options import detach_option, home_option, json_option, open_reader, run_argument, workers_option
from rallyflow.errors import Exit
from rallyflow.settings import Home


@click.command("resume", short_help="go on with a run")
@run_argument
@workers_option
@detach_option
@home_option
@json_option
def command(run: str, parallel: int, detach: bool, home: str | None, as_json: bool) -> Exit:
    """Go on with a run that was interrupted, was killed, or could not finish.

    Finished steps stay finished; what an attempt in flight had made is removed or taken over; benchmarks keep the
    iterations that were stored. RUN is an id, a unique beginning or end of one, or @latest (the default).
    """
    from rallyflow.cli.detached import run_anywhere
    from rallyflow.engine.session import resume

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    reader.journal.close()

    def start(listener: Any, signals: Any) -> Any:
        return resume(place, record.id, workers=parallel, listener=listener, signals=signals)

    return run_anywhere(place, start, workers=parallel, as_json=as_json, detach=detach)
