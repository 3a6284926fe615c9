"""`rallyflow schema`."""

from __future__ import annotations

import click

from rallyflow.cli.output import print_json
from rallyflow.errors import Exit


@click.command("schema", short_help="print the JSON Schema of workflow files")
@click.option("--step", metavar="TYPE", help="Only that of the inputs of one step type")
def command(step: str | None) -> Exit:
    """Print the JSON Schema of workflow files, with the inputs of every step type that is installed.

    An editor with yaml-language-server uses it when a file begins with the line
    `# yaml-language-server: $schema=PATH`.
    """
    from rallyflow.compile.schema import step_schema, workflow_schema

    print_json(step_schema(step) if step else workflow_schema())
    return Exit.OK
