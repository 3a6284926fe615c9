"""`rallyflow apply FILE`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import (
    detach_option,
    home_option,
    json_option,
    keep_option,
    params_options,
    read_params,
    seconds_of,
    workers_option,
)
from rallyflow.cli.output import say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.model.plan import Plan


@click.command("apply", short_help="run a workflow")
@click.argument("workflow", type=click.Path(path_type=Path))
@params_options
@click.option(
    "--ttl",
    callback=seconds_of,
    metavar="TIME",
    help="How long what it makes may live, such as 8h; over that of the workflow",
)
@keep_option
@workers_option
@detach_option
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    workflow: Path,
    pairs: tuple[str, ...],
    params_file: Path | None,
    ttl: float | None,
    keep: bool,
    parallel: int,
    detach: bool,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Compile a workflow and run it; or run a plan that `rallyflow plan -o` has saved, exactly as it is.

    \b
    rallyflow apply workflows/cloud-bench.yaml
    rallyflow apply workflows/cloud-bench.yaml -p users=1,5,10 -p requests=50
    rallyflow apply workflows/cloud-bench.yaml --detach    in the background; `rallyflow watch` follows it
    rallyflow apply workflows/cloud-bench.yaml --ttl 8h    what stays may be cleaned up after that time
    """  # noqa: D301 - \b is click's mark
    from rallyflow.cli.detached import run_anywhere
    from rallyflow.compile.compiler import compile_file
    from rallyflow.engine.saved import is_saved
    from rallyflow.engine.session import begin

    if workflow.is_fifo():
        raise UsageError(
            f"{workflow} is a pipe, and a run keeps a copy of its workflow", hint="write it to a file first"
        )
    if is_saved(workflow):
        plan, text = _saved(workflow, given=bool(pairs or params_file))
    else:
        plan, text = compile_file(workflow, read_params(pairs, params_file)), workflow.read_bytes()
    if ttl is not None:
        plan = replace(plan, ttl=ttl)
    if keep:
        plan = replace(plan, teardown="never")
    place = Home.find(home)

    def start(listener: Any, signals: Any) -> Any:
        return begin(place, plan, text, workers=parallel, listener=listener, signals=signals)

    return run_anywhere(place, start, workers=parallel, as_json=as_json, detach=detach)


def _saved(path: Path, *, given: bool) -> tuple[Plan, bytes]:
    from rallyflow.engine.saved import load

    if given:
        raise UsageError("a saved plan has its params already", hint="leave -p and --params out, or plan anew")
    saved = load(path)
    for name in saved.changed:
        say(f"note: {name} has changed since the plan was saved; the plan runs as it was saved")
    return saved.plan, saved.workflow
