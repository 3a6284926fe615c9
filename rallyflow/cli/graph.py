"""`rallyflow graph [FILE]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader, params_options, read_params
from rallyflow.cli.output import colour, print_json, say
from rallyflow.errors import Exit, StorageError, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.graphs.model import Drawing
    from rallyflow.model.plan import Plan
    from rallyflow.model.records import StepRecord

FORMATS = ("text", "svg", "dot", "mermaid", "json")
_BY_SUFFIX = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".json": "json"}
_COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "busy": "cyan", "calm": "dim"}


@click.command("graph", short_help="draw the graph of a workflow or a run")
@click.argument("workflow", type=click.Path(path_type=Path), required=False)
@params_options
@click.option(
    "--run",
    metavar="RUN",
    help="Draw this run, coloured by the states of its steps; FILE is not needed",
    shell_complete=completing("runs"),
)
@click.option("--cells", is_flag=True, help="Draw every cell of a matrix, not one node for all of them")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What to write  [default: by the name of -o, else text]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, not to stdout")
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    workflow: Path | None,
    pairs: tuple[str, ...],
    params_file: Path | None,
    run: str | None,
    cells: bool,
    form: str | None,
    output: Path | None,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Draw which step waits for which, of a workflow file or of a run. Touches nothing.

    A step is below all that it waits for; an edge that others imply is left out.

    \b
    rallyflow graph workflows/cloud-bench.yaml
    rallyflow graph workflows/cloud-bench.yaml -o graph.svg
    rallyflow graph --run @latest --cells
    """  # noqa: D301 - \b is click's mark
    from rallyflow.graphs.drawing import drawing_of

    if (workflow is None) == (run is None):
        raise UsageError("give a workflow file, or --run RUN", hint="rallyflow graph workflows/cloud-bench.yaml")
    if run is not None and (pairs or params_file):
        raise UsageError("a run has the params that it was started with", hint="leave -p and --params out")
    if run is not None:
        plan, identity, records = _of_run(Home.find(home), run)
        drawing = drawing_of(plan, cells=cells, records=records, run=identity)
    else:
        drawing = drawing_of(_compiled(workflow or Path(), read_params(pairs, params_file)), cells=cells)
    _write(drawing, "json" if as_json else form or _by_name(output), output)
    return Exit.OK


def _compiled(workflow: Path, given: Mapping[str, object]) -> Plan:
    from rallyflow.compile.compiler import compile_file

    return compile_file(workflow, given)


def _of_run(home: Home, run: str) -> tuple[Plan, str, list[StepRecord]]:
    from rallyflow.engine.session import read_plan

    reader = open_reader(home)
    record = reader.find(run)
    return read_plan(home.run(record.id), record.plan), record.id, reader.steps(record.id)


def _by_name(output: Path | None) -> str:
    return _BY_SUFFIX.get(output.suffix.lower(), "text") if output else "text"


def _write(drawing: Drawing, form: str, output: Path | None) -> None:
    if output is None and form == "text":
        _show(drawing)
    elif output is None and form == "json":
        from rallyflow.graphs.data import as_data

        print_json(as_data(drawing))
    elif output is None:
        sys.stdout.write(_rendered(drawing, form))
    else:
        try:
            output.write_text(_rendered(drawing, form), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"can't write {output}: {error.strerror}", hint="give another file with -o") from error
        say(f"{output}: {len(drawing.nodes)} nodes, {form}")


def _rendered(drawing: Drawing, form: str) -> str:
    import importlib

    if form == "json":
        import json

        from rallyflow.graphs.data import as_data

        return json.dumps(as_data(drawing), indent=2) + "\n"
    text: str = importlib.import_module(f"rallyflow.graphs.{form}").render(drawing)
    return text


def _show(drawing: Drawing) -> None:
    from rallyflow.graphs import text

    def paint(words: str, tone: str) -> str:
        return colour(words, _COLOURS[tone], stream=sys.stdout) if tone else words

    sys.stdout.write(text.render(drawing, paint))
    signs = text.legend(drawing)
    if signs:
        say("\n" + "   ".join(f"{sign} {words}" for sign, words in signs.items()))
