"""`rallyflow plan FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import (
    home_option,
    json_option,
    open_reader,
    params_options,
    read_params,
    workers_option,
)
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.cli.previewing import grouped
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home
from rallyflow.units import format_duration

if TYPE_CHECKING:
    from rallyflow.engine.forecast import Forecast, StepForecast
    from rallyflow.model.plan import Plan

_MANY = 12  # cells of one matrix that are still listed one by one


@click.command("plan", short_help="show what a workflow would do")
@click.argument("workflow", type=click.Path(path_type=Path), required=False)
@click.option(
    "--run",
    "run",
    metavar="RUN",
    help="Show what `resume RUN` would do; with a file, what `resume RUN --with FILE` would",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Save the plan; `rallyflow apply` runs exactly it"
)
@click.option("--cells", is_flag=True, help="List every cell, also of a large matrix")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when a step would run, with 0 when none would")
@params_options
@workers_option
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    workflow: Path | None,
    run: str | None,
    output: Path | None,
    cells: bool,
    detailed_exitcode: bool,
    pairs: tuple[str, ...],
    params_file: Path | None,
    parallel: int,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Show what would happen to each step, and why; how long it takes, if earlier runs tell. Touches nothing.

    \b
    rallyflow plan cloud-bench.yaml -p users=1,5      what `apply` would do
    rallyflow plan cloud-bench.yaml -o friday.plan    save it; then: rallyflow apply friday.plan
    rallyflow plan --run @latest                      what `resume` would do
    rallyflow plan cloud-bench.yaml --run @latest     what `resume --with cloud-bench.yaml` would do
    """  # noqa: D301 - \b is click's mark
    from rallyflow.engine.forecast import Action

    place = Home.find(home)
    if workflow is None and run is None:
        raise UsageError("give a workflow file, or a run with --run", hint="rallyflow plan workflows/quickstart.yaml")
    if workflow is not None and run is not None:
        plan, foreseen = _of_both(workflow, run, read_params(pairs, params_file), place, parallel)
    elif workflow is not None:
        plan, foreseen = _of_file(workflow, read_params(pairs, params_file), place, parallel)
    else:
        if output is not None or pairs or params_file:
            raise UsageError("-o, -p and --params are for a workflow file", hint="a run has its params and its plan")
        plan, foreseen = _of_run(str(run), place, parallel)
    if output is not None and workflow is not None and run is None:
        _save(output, plan, workflow)
    if as_json:
        _print_json(plan, foreseen)
    else:
        _print(plan, foreseen, every=cells)
    changes = any(each.action is Action.RUN for each in foreseen.steps)
    return Exit.CHANGES if detailed_exitcode and changes else Exit.OK


def _of_file(workflow: Path, given: dict[str, Any], home: Home, workers: int) -> tuple[Plan, Forecast]:
    from rallyflow.compile.compiler import compile_file
    from rallyflow.engine.forecast import forecast

    plan = compile_file(workflow, given)
    seconds = open_reader(home).durations(plan.name) if home.journal.exists() else {}
    return plan, forecast(plan, workers=workers, seconds=seconds)


def _of_run(run: str, home: Home, workers: int) -> tuple[Plan, Forecast]:
    from rallyflow.engine.answering import plan_as_it_went
    from rallyflow.engine.forecast import forecast
    from rallyflow.engine.session import read_plan

    reader = open_reader(home)
    record = reader.find(run)
    steps = reader.steps(record.id)
    plan = plan_as_it_went(read_plan(home.run(record.id), record.plan), steps, reader.answers(record.id))
    return plan, forecast(plan, workers=workers, seconds=reader.durations(record.name), earlier=steps)


def _of_both(workflow: Path, run: str, given: dict[str, Any], home: Home, workers: int) -> tuple[Plan, Forecast]:
    from rallyflow.cli.previewing import foresee, recompiled
    from rallyflow.engine.reuse import Wanted
    from rallyflow.engine.revising import look_ahead

    reader = open_reader(home)
    record = reader.find(run)
    plan = recompiled(reader, home, record, workflow, given)
    decided = look_ahead(reader, home, record, plan, Wanted())
    return decided.plan, foresee(decided, reader, workers)


def _save(output: Path, plan: Plan, workflow: Path) -> None:
    from rallyflow.engine.saved import save

    save(output, plan, workflow.read_bytes())
    say(f"saved; run exactly this plan with: rallyflow apply {output}")


def _print_json(plan: Plan, foreseen: Forecast) -> None:
    from rallyflow.model.plan import plan_to_json

    data = plan_to_json(plan)
    for step, each in zip(data["steps"], foreseen.steps, strict=True):
        step.update(action=each.action, why=each.why, expected_s=each.seconds, critical=each.critical)
    print_json({**data, "expected_s": foreseen.seconds, "critical_path": list(foreseen.critical)})


def _print(plan: Plan, foreseen: Forecast, *, every: bool) -> None:
    rows = [_row(group) for group in grouped(foreseen, every=every)]
    print_table(("action", "step", "uses", "waits for", "timeout", "attempts", "expected", "why"), rows)
    counts: dict[str, int] = {}
    for each in foreseen.steps:
        counts[each.action] = counts.get(each.action, 0) + 1
    total = f", about {format_duration(foreseen.seconds)}" if foreseen.seconds else ""
    say(f"\n{', '.join(f'{count} to {action}' for action, count in counts.items())}{total}")
    if foreseen.critical:
        say(f"critical path: {' -> '.join(_shortened(foreseen.critical))}")
    expiry = f"; what stays expires after {format_duration(plan.ttl)}" if plan.ttl else ""
    say(f"afterwards what the run made is removed: {plan.teardown}{expiry}")
    for name, value in plan.params.items():
        say(f"  param {name} = {value}")
    for name, seed in plan.seeds.items():
        say(f"  the cells of {name} are in random order, with the seed {seed}")


def _row(group: Sequence[StepForecast]) -> tuple[Any, ...]:
    first, step = group[0], group[0].step
    seconds = [each.seconds for each in group if each.seconds is not None]
    mark = "*" if any(each.critical for each in group) else ""
    return (
        colour(first.action, "dim") if first.action == "skip" else first.action,
        (step.id if len(group) == 1 else f"{step.name}[{len(group)} cells]") + mark,
        step.uses,
        "all inside" if step.scope == step.id else ", ".join((*step.needs, *step.after)) or "-",
        format_duration(step.timeout) if step.timeout is not None else "-",
        step.retry.attempts,
        format_duration(sum(seconds)) if seconds else "-",
        first.why or "-",
    )


def _shortened(path: Sequence[str]) -> list[str]:
    return list(path) if len(path) <= _MANY else [*path[:5], f"… {len(path) - 10} more …", *path[-5:]]
