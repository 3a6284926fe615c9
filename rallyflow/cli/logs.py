"""`rallyflow logs [RUN] [STEP]`."""

from __future__ import annotations

import sys

import click

from rallyflow.cli.options import completing, home_option, open_reader, run_argument
from rallyflow.cli.output import colour, say
from rallyflow.errors import Exit, UsageError
from rallyflow.hints import did_you_mean
from rallyflow.model.ids import step_slug
from rallyflow.settings import Home


@click.command("logs", short_help="print logs")
@run_argument
@click.argument("step", default="", shell_complete=completing("steps"))
@click.option("--attempt", type=int, help="Only this attempt")
@home_option
def command(run: str, step: str, attempt: int | None, home: str | None) -> Exit:
    """Print the logs of a run, of all steps or of one: every attempt, in order."""
    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    steps = [each for each in reader.steps(record.id) if step in ("", each.id, each.name)]
    if not steps:
        known = [each.id for each in reader.steps(record.id)]
        raise UsageError(f"run {record.id} has no step {step!r}", hint=did_you_mean(step, known))
    for each in steps:
        folder = place.run(record.id) / "logs" / step_slug(each.id)
        for log in sorted(folder.glob("*.log"), key=lambda path: int(path.stem)):
            if attempt is not None and int(log.stem) != attempt:
                continue
            say(colour(f"── {each.id}, attempt {log.stem} ──", "bold"))
            sys.stdout.write(log.read_text(encoding="utf-8", errors="replace"))
            sys.stdout.flush()
    return Exit.OK
