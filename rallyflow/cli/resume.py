"""`rallyflow resume [RUN]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import (
    detach_option,
    home_option,
    json_option,
    open_reader,
    params_options,
    read_params,
    run_argument,
    workers_option,
)
from rallyflow.cli.output import say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rallyflow.model.records import RunRecord


@click.command("resume", short_help="go on with a run")
@run_argument
@click.option("--with", "workflow", type=click.Path(path_type=Path), help="Go on by this file, the workflow as edited")
@params_options
@workers_option
@detach_option
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    run: str,
    workflow: Path | None,
    pairs: tuple[str, ...],
    params_file: Path | None,
    parallel: int,
    detach: bool,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Go on with a run that was interrupted, was killed, or could not finish.

    Finished steps stay finished; what an attempt in flight had made is removed or taken over; benchmarks keep the
    iterations that were stored. RUN is an id, a unique beginning or end of one, or @latest (the default).

    Of a run that is over and keeps what it made, what has stopped is started again.

    With an edited workflow, what it has changed runs, also if it was finished, and what comes after it; all else counts
    as before. That is printed first, with the reason for each step (`rallyflow plan FILE --run RUN` only prints it).

    \b
    rallyflow resume
    rallyflow resume --with cloud-bench.yaml
    rallyflow resume --with cloud-bench.yaml -p users=1,5,50
    """  # noqa: D301 - \b is click's mark
    from rallyflow.cli.detached import run_anywhere
    from rallyflow.engine.session import resume

    given = read_params(pairs, params_file)
    if given and workflow is None:
        raise UsageError("-p and --params need a workflow to go with them", hint="rallyflow resume --with FILE -p …")
    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    reader.journal.close()

    def as_it_was(listener: Any, signals: Any) -> Any:
        return resume(place, record.id, workers=parallel, listener=listener, signals=signals)

    start = as_it_was if workflow is None else _with(workflow, given, place, record, parallel)
    return run_anywhere(place, start, workers=parallel, as_json=as_json, detach=detach)


def _with(
    workflow: Path, given: Mapping[str, Any], home: Home, run: RunRecord, workers: int
) -> Callable[[Any, Any], Any]:
    """Say what an edited workflow changes, and return what goes on by it."""
    from rallyflow.cli.previewing import confirm_removal, foresee, recompiled, say_preview
    from rallyflow.engine.reuse import Wanted
    from rallyflow.engine.revising import look_ahead, resume_with

    reader = open_reader(home)
    text = workflow.read_bytes() if workflow.is_file() else b""
    plan = recompiled(reader, home, run, workflow, given)
    decided = look_ahead(reader, home, run, plan, Wanted())
    say(f"run {run.id} goes on by {workflow}:")
    say_preview(foresee(decided, reader, workers), decided.gone)
    confirm_removal(decided, reader, run)
    reader.journal.close()

    def start(listener: Any, signals: Any) -> Any:
        return resume_with(home, run.id, plan, text, workers=workers, listener=listener, signals=signals)

    return start
