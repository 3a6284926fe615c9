"""`rallyflow report [RUN]`."""

from __future__ import annotations

from pathlib import Path

import click

from rallyflow.cli.options import home_option, open_reader, run_argument
from rallyflow.errors import Exit
from rallyflow.settings import Home


@click.command("report", short_help="write the HTML report of a run")
@run_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where to write  [default: report/index.html in the run's folder]",
)
@click.option("--title", default="", help="The title of the page  [default: the workflow's name]")
@home_option
def command(run: str, output: Path | None, title: str, home: str | None) -> Exit:
    """Write the HTML report of a run, finished or not, from what has been stored, and print its path."""
    from rallyflow.report.files import write_text
    from rallyflow.report.page import render

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    path = (output or place.run(record.id) / "report" / "index.html").absolute()
    write_text(path, render(reader, record.id, title=title))
    print(path)
    return Exit.OK
