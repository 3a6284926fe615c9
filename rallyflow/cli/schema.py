"""`rallyflow schema [KIND]`."""

from __future__ import annotations

import click

from rallyflow.cli.output import print_json
from rallyflow.errors import Exit, UsageError


@click.command("schema", short_help="print the JSON Schema of workflow files")
@click.argument("file", type=click.Choice(["workflow", "catalog", "lock", "events"]), default="workflow")
@click.option("--step", metavar="TYPE", help="Only that of the inputs of one step type")
def command(file: str, step: str | None) -> Exit:
    """Print the JSON Schema of workflow files, with the inputs of every step type that is installed.

    `rallyflow schema catalog` and `rallyflow schema lock` print those of catalog.yaml and catalog.lock, and
    `rallyflow schema events` that of the lines of `apply --json`.

    An editor with yaml-language-server uses it when a file begins with the line
    `# yaml-language-server: $schema=PATH`.
    """
    from rallyflow import eventlines
    from rallyflow.catalogs.schema import catalog_schema, lock_schema
    from rallyflow.compile.schema import step_schema, workflow_schema

    if step and file != "workflow":
        raise UsageError("--step is for the schema of workflows", hint=f"leave {file} out")
    if step:
        print_json(step_schema(step))
    else:
        schemas = {"catalog": catalog_schema, "lock": lock_schema, "events": eventlines.schema}
        print_json(schemas.get(file, workflow_schema)())
    return Exit.OK
