"""`rallyflow rerun [RUN]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import (
    detach_option,
    home_option,
    json_option,
    keep_option,
    open_reader,
    params_options,
    read_params,
    run_argument,
    workers_option,
)
from rallyflow.cli.output import print_json, say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.engine.reuse import Wanted
    from rallyflow.journal.reader import JournalReader
    from rallyflow.model.ids import StepId
    from rallyflow.model.plan import Plan
    from rallyflow.model.records import RunRecord


@click.command("rerun", short_help="run a run again, or a part of it")
@run_argument
@click.option("--from", "starts", multiple=True, metavar="STEP", help="Run this step and what comes after it")
@click.option("--only", multiple=True, metavar="STEP", help="Run this step, and nothing that it can do without")
@click.option("--failed", is_flag=True, help="Run what did not succeed, and what comes after it")
@click.option("--with", "workflow", type=click.Path(path_type=Path), help="Go by this file; run what it has changed")
@params_options
@click.option("--dry-run", is_flag=True, help="Only show what would happen")
@keep_option
@workers_option
@detach_option
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    run: str,
    starts: tuple[str, ...],
    only: tuple[str, ...],
    failed: bool,
    workflow: Path | None,
    pairs: tuple[str, ...],
    params_file: Path | None,
    dry_run: bool,
    keep: bool,
    parallel: int,
    detach: bool,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Make a new run that takes over from an earlier one what need not run again, and print first what that is.

    Everything runs again unless an option says what. STEP is an id, the name that the cells of a matrix share, or a
    workflow that is a step. A cloud that the earlier run left, and that still answers, is used and not removed: it
    stays that run's own.

    \b
    rallyflow rerun                            the last run, all of it
    rallyflow rerun --failed                   the cells that failed, and the report
    rallyflow rerun --from boot                keep the cloud, measure anew
    rallyflow rerun --only 'boot[users=5]'
    rallyflow rerun --with cloud-bench.yaml -p users=1,50
    """  # noqa: D301 - \b is click's mark
    from rallyflow.cli.detached import run_anywhere
    from rallyflow.cli.previewing import foresee, say_preview
    from rallyflow.engine.revising import look_ahead, rerun

    given = read_params(pairs, params_file)
    if given and workflow is None:
        raise UsageError("-p and --params need a workflow to go with them", hint="rallyflow rerun --with FILE -p …")
    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    plan, text = _plan_to_go_by(reader, place, record, workflow, given)
    plan = replace(plan, teardown="never") if keep else plan
    known = {step.id: step.name for step in reader.steps(record.id)} | {step.id: step.name for step in plan.steps}
    wanted = _wanted(known, starts, only, failed=failed, edited=workflow is not None)
    decided = look_ahead(reader, place, record, plan, wanted)
    foreseen = foresee(decided, reader, parallel)
    if dry_run and as_json:
        print_json([{"step": each.step.id, "action": each.action, "why": each.why} for each in foreseen.steps])
        return Exit.OK
    say(f"a new run of {plan.name}, with what counts of run {record.id}:")
    say_preview(foreseen)
    if dry_run:
        return Exit.OK
    if not decided.runs:
        raise UsageError(f"run {record.id} has done all of that", hint="name steps with --from or --only")

    def start(listener: Any, signals: Any) -> Any:
        return rerun(place, record.id, decided, text, workers=parallel, listener=listener, signals=signals)

    reader.journal.close()
    return run_anywhere(place, start, workers=parallel, as_json=as_json, detach=detach)


def _plan_to_go_by(
    reader: JournalReader, home: Home, run: RunRecord, workflow: Path | None, given: Mapping[str, Any]
) -> tuple[Plan, bytes]:
    """Return the plan that a run goes by, or that of a file, with the text of its workflow."""
    from rallyflow.cli.previewing import recompiled
    from rallyflow.engine.revising import workflow_of
    from rallyflow.engine.session import read_plan

    if workflow is not None:
        return recompiled(reader, home, run, workflow, given), workflow.read_bytes()
    plan = read_plan(home.run(run.id), run.plan)
    return replace(plan, file=str(run.workflow)), workflow_of(home, run)  # the plan has it as seen from another folder


def _wanted(
    known: Mapping[StepId, str], starts: Sequence[str], only: Sequence[str], *, failed: bool, edited: bool
) -> Wanted:
    """Return what the options choose; UsageError where they contradict each other."""
    from rallyflow.engine.reuse import Selection, Wanted, chosen_steps

    if bool(starts) + bool(only) + failed > 1:
        raise UsageError("--from, --only and --failed exclude each other")
    if starts:
        return Wanted(Selection.FROM, chosen_steps(known, starts))
    if only:
        return Wanted(Selection.ONLY, chosen_steps(known, only))
    if failed:
        return Wanted(Selection.FAILED)
    return Wanted(Selection.CHANGED if edited else Selection.EVERYTHING)
