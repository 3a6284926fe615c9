"""`rallyflow report [RUN]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import home_option, open_reader, run_argument
from rallyflow.errors import Exit
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.report.choices import ChartChoice


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
    own_title, charts = _as_the_workflow_has_it(place.run(record.id))
    path = (output or place.run(record.id) / "report" / "index.html").absolute()
    write_text(path, render(reader, record.id, charts=charts, title=title or own_title))
    print(path)
    return Exit.OK


def _as_the_workflow_has_it(directory: Path) -> tuple[str, list[ChartChoice]]:
    """Return title and charts of the run's own first report step; nothing when it has none that is known beforehand."""
    from pydantic import ValidationError

    from rallyflow.engine.session import read_plan
    from rallyflow.errors import StorageError
    from rallyflow.report.exporters.html import HtmlReportInputs

    try:
        step = next((step for step in read_plan(directory).steps if step.uses == "report/html"), None)
        inputs = HtmlReportInputs.model_validate({**(step.inputs if step else {}), "of": None})
    except (StorageError, ValidationError):
        return "", []
    return inputs.title, list(inputs.charts)
