"""`rallyflow validate FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from rallyflow.cli.options import json_option, params_options, read_params
from rallyflow.cli.output import error_json, print_json, say
from rallyflow.errors import Exit, WorkflowInvalid


@click.command("validate", short_help="check a workflow file")
@click.argument("workflow", type=click.Path(path_type=Path))
@params_options
@json_option
def command(workflow: Path, pairs: tuple[str, ...], params_file: Path | None, as_json: bool) -> Exit:
    """Check a workflow file: syntax, keys, types, references, cycles. Touches nothing, needs no network."""
    from rallyflow.compile.compiler import compile_file

    try:
        plan = compile_file(workflow, read_params(pairs, params_file))
    except WorkflowInvalid as error:
        if not as_json:
            raise
        print_json({"valid": False, **error_json(error)})
        return error.exit_code
    if as_json:
        print_json({"valid": True, "name": plan.name, "steps": len(plan.steps)})
    else:
        say(f"{workflow}: valid, {len(plan.steps)} step{'s' * (len(plan.steps) != 1)}")
    return Exit.OK
