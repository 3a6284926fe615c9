"""`rallyflow init [PATH]`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from rallyflow.cli.options import completing, json_option
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.errors import Exit, StorageError, UsageError


@click.command("init", short_help="write a workflow to start from")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--template",
    metavar="NAME",
    default="quickstart",
    show_default=True,
    help="What to start from",
    shell_complete=completing("templates"),
)
@click.option("--list", "listed", is_flag=True, help="List the templates")
@click.option("--schema/--no-schema", default=True, help="Write a JSON Schema beside it, for editors  [default: yes]")
@click.option("--force", is_flag=True, help="Overwrite what is there")
@json_option
def command(path: Path | None, template: str, listed: bool, schema: bool, force: bool, as_json: bool) -> Exit:
    """Write a workflow that runs at once, with comments that explain it.

    PATH is the file to write, or a folder; without it, the name of the template in the working directory.

    \b
    rallyflow init
    rallyflow init --template shell nightly.yaml
    """  # noqa: D301 - \b is click's mark
    from rallyflow.templates import SCHEMA, workflow_from

    if listed:
        return _list(as_json=as_json)
    place = path or Path()
    target = place / f"{template}.yaml" if place.is_dir() or str(path).endswith("/") else place
    text = workflow_from(template, stem=target.stem, schema=schema)
    _check_free(target, force=force)
    written = [target]
    if schema and _write_schema(target.with_name(SCHEMA), force=force):
        written.append(target.with_name(SCHEMA))
    _write(target, text, force=force)
    if as_json:
        print_json({"template": template, "written": [str(each) for each in written]})
    else:
        _say_next(template, target, written)
    return Exit.OK


def _list(*, as_json: bool) -> Exit:
    from rallyflow.templates import TEMPLATES

    if as_json:
        print_json([{"name": name, "description": text} for name, text in TEMPLATES.items()])
    else:
        print_table(("template", "what it is"), list(TEMPLATES.items()))
    return Exit.OK


def _write_schema(target: Path, *, force: bool) -> bool:
    """Write the schema; a different one that is there already stays, and that is said."""
    from rallyflow.compile.schema import workflow_schema

    text = json.dumps(workflow_schema(), indent=1) + "\n"
    if target.exists() and not force:
        if target.read_text(encoding="utf-8", errors="replace") != text:
            say(f"{target} is kept; --force writes that of this rallyflow")
        return False
    _write(target, text, force=force)
    return True


def _check_free(target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"{target} is there already", hint="give another path, or --force to overwrite it")


def _write(target: Path, text: str, *, force: bool) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w" if force else "x", encoding="utf-8") as file:  # "x": nobody else's file, even by a race
            file.write(text)
    except OSError as error:
        raise StorageError(f"can't write {target}: {error.strerror}", hint="give another path") from error


def _say_next(template: str, target: Path, written: list[Path]) -> None:
    from rallyflow.templates import start_of

    for each in written:
        say(f"wrote {each}")
    quoted = shlex.quote(str(target))
    say(f"\n{colour('next', 'cyan')}: rallyflow validate {quoted}{start_of(template)}")
    say(f"      rallyflow graph {quoted}{start_of(template)}")
    say(f"      rallyflow apply {quoted}{start_of(template)}")
