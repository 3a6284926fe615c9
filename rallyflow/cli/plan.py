"""`rallyflow plan FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from rallyflow.cli.options import json_option, params_options, read_params
from rallyflow.cli.output import print_json, print_table, say
from rallyflow.errors import Exit
from rallyflow.units import format_duration


@click.command("plan", short_help="show what a workflow would do")
@click.argument("workflow", type=click.Path(path_type=Path))
@params_options
@json_option
def command(workflow: Path, pairs: tuple[str, ...], params_file: Path | None, as_json: bool) -> Exit:
    """Show the steps that `apply` would run, in order, and what each waits for. Touches nothing."""
    from rallyflow.compile.compiler import compile_file
    from rallyflow.model.plan import plan_to_json

    plan = compile_file(workflow, read_params(pairs, params_file))
    if as_json:
        print_json(plan_to_json(plan))
        return Exit.OK
    rows = [
        (
            position,
            step.id,
            step.uses,
            ", ".join(step.needs) or "-",
            step.condition or "success()",
            format_duration(step.timeout) if step.timeout is not None else "-",
            step.retry.attempts,
        )
        for position, step in enumerate(plan.steps, start=1)
    ]
    print_table(("#", "step", "uses", "waits for", "if", "timeout", "attempts"), rows)
    say(f"\n{len(plan.steps)} steps; afterwards what the run made is removed: {plan.teardown}")
    for name, value in plan.params.items():
        say(f"  param {name} = {value}")
    return Exit.OK
