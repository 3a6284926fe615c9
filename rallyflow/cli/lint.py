"""`rallyflow lint FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from rallyflow.cli.options import json_option, params_options, read_params
from rallyflow.cli.output import diagnostics_json, print_json, say, show_diagnostic
from rallyflow.errors import Exit


@click.command("lint", short_help="give advice about a workflow file")
@click.argument("workflow", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 3 when there is any advice")
@params_options
@json_option
def command(workflow: Path, strict: bool, pairs: tuple[str, ...], params_file: Path | None, as_json: bool) -> Exit:
    """Give advice about a valid workflow: no timeout, retries that may do harm, what nothing uses, too many cells.

    A comment `# lint: ignore`, or `# lint: ignore RF0903`, in the same line silences it. Touches nothing.
    """
    from rallyflow.compile.compiler import compile_unit
    from rallyflow.compile.lint import lint

    unit, plan = compile_unit(workflow, read_params(pairs, params_file))
    advice = lint(unit, plan)
    if as_json:
        print_json({"advice": diagnostics_json(advice)})
    else:
        for each in advice:
            show_diagnostic(each, "advice", "yellow")
        count = f"{len(advice)} piece{'s' * (len(advice) != 1)} of advice" if advice else "no advice"
        say(f"{workflow}: {count}")
    return Exit.INVALID if strict and advice else Exit.OK
