"""Options that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rallyflow.errors import UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from rallyflow.journal.reader import JournalReader

F = TypeVar("F", bound=Callable[..., Any])


def seconds_of(_context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Read the time that an option gives, such as `90s` or `1h30m`: the callback of such options."""
    from rallyflow.units import parse_duration

    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from error
    if not seconds:
        raise click.BadParameter(f"{value} is no time at all", param=parameter)
    return seconds


def completing(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    """Return a function of completing.py by name, which is loaded when a shell asks."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from rallyflow.cli import completing

        found: list[CompletionItem[str]] = getattr(completing, kind)(context, parameter, incomplete)
        return found

    return complete


home_option = click.option(
    "--home", metavar="DIR", help="Where runs are kept  [default: $RALLYFLOW_HOME, else .rallyflow]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs")
run_argument = click.argument("run", default="@latest", shell_complete=completing("runs"))
workers_option = click.option(
    "--parallel",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Steps that may run at a time",
)

detach_option = click.option(
    "--detach", is_flag=True, help="Run in the background, and be back as soon as the run has begun"
)


keep_option = click.option(
    "--keep", is_flag=True, help="Do not remove what the run makes at its end; `rallyflow destroy` does it later"
)


def params_options(function: F) -> F:
    """Add -p/--param and --params."""
    one = click.option(
        "-p",
        "--param",
        "pairs",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a param; may be repeated",
        shell_complete=completing("params"),
    )
    file = click.option("--params", "params_file", type=click.Path(path_type=Path), help="A YAML file with params")
    return one(file(function))


def read_params(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """Return params as given, those of -p before those of the file; UsageError or WorkflowInvalid for what is none."""
    given: dict[str, Any] = {}
    if file is not None:
        from rallyflow.compile.reader import read_workflow

        loaded, _ = read_workflow(file)
        if not isinstance(loaded, dict):
            raise UsageError(f"the params file {file} must map names to values")
        given.update(loaded)
    return {**given, **pairs_of(pairs)}


def pairs_of(pairs: Sequence[str]) -> dict[str, str]:
    """Return the values of -p NAME=VALUE by name; UsageError for what is none."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"-p {pair}: expected NAME=VALUE")
        given[name] = value
    return given


def open_reader(home: Home) -> JournalReader:
    """Return a reader of the home's journal; UsageError when there is none yet."""
    from rallyflow.journal.reader import JournalReader
    from rallyflow.journal.store import Journal

    if not home.journal.exists():
        raise UsageError(
            f"there are no runs in {home.root}",
            hint="start one: rallyflow apply workflows/quickstart.yaml, or give --home",
        )
    writable = os.access(home.journal, os.W_OK) and os.access(home.root, os.W_OK)
    return JournalReader(Journal(home.journal, write=writable), home.root)
