"""`rallyflow apply FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rallyflow.cli.options import home_option, json_option, params_options, read_params, workers_option
from rallyflow.errors import Exit
from rallyflow.settings import Home


@click.command("apply", short_help="run a workflow")
@click.argument("workflow", type=click.Path(path_type=Path))
@params_options
@workers_option
@home_option
@json_option
def command(
    workflow: Path,
    pairs: tuple[str, ...],
    params_file: Path | None,
    parallel: int,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Compile a workflow and run it.

    \b
    rallyflow apply workflows/cloud-bench.yaml
    rallyflow apply workflows/cloud-bench.yaml -p users=1,5,10 -p requests=50
    """  # noqa: D301 - \b is click's mark
    from rallyflow.cli.ending import run_session
    from rallyflow.compile.compiler import compile_file
    from rallyflow.engine.session import begin

    plan = compile_file(workflow, read_params(pairs, params_file))
    text = workflow.read_bytes()
    place = Home.find(home)

    def start(listener: Any, signals: Any) -> Any:
        return begin(place, plan, text, workers=parallel, listener=listener, signals=signals)

    return run_session(place, start, workers=parallel, as_json=as_json)
