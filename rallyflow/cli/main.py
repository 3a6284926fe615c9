"""The group of verbs, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from rallyflow import __version__
from rallyflow.cli.output import show_error
from rallyflow.errors import Exit, InternalError, RallyflowError, StorageError

VERBS = {
    "apply": "Compile a workflow and run it",
    "approve": "Answer what a paused run waits for",
    "cancel": "Stop a run from another terminal, and remove what it made",
    "catalog": "Use workflows of others by name and version: list, show, add, update, fetch, verify",
    "cleanup": "Remove what runs left: all of it, what has expired, or what a cloud shows of lost runs",
    "completion": "Print a script that completes commands in a shell",
    "destroy": "Remove everything that a run made",
    "discover": "List what a cloud offers: services with their versions, images, flavors, networks",
    "doctor": "Look at this machine, this home and what a workflow needs here; check what is in the home",
    "explain": "Explain an error, a step type or a key of a workflow",
    "graph": "Draw which step waits for which, of a workflow or a run",
    "images": "List the images of containers on this machine, or remove some",
    "init": "Write a workflow to start from",
    "lint": "Give advice about a workflow file",
    "logs": "Print the logs of a run's steps",
    "plan": "Show what a workflow would do, without doing anything",
    "report": "Write the HTML report of a run",
    "rerun": "Run a run again, or a part of it, with what counts of it taken over",
    "resources": "List what runs made outside and did not remove",
    "resume": "Go on with a run that was interrupted, killed or could not finish",
    "runs": "List the runs",
    "schema": "Print the JSON Schema of workflow files, for editors",
    "show": "Show a run: its steps, results and what is left of it",
    "snapshot": "Make an image of a container of a run, to clone others from",
    "sql": "Query the measurements with SQL",
    "validate": "Check a workflow file, all of it, without running anything",
    "verification": "Show, compare, report, repeat and import verifications",
    "watch": "Follow a run that another process works on, until it ends",
    "why": "Say why a step is as it is, and what has changed",
}
"""Every verb with its one-line help, so that help needs no verb's module."""

EXIT_CODES = """
\b
Exit codes:
  0 ok                    4 a step errored           8 another process works on the run
  1 usage or internal     5 failed: SLA or tests     9 resources left behind
  2 a plan has changes    6 inconclusive           130 interrupted
  3 invalid workflow      7 paused: waits for a person
"""


class Verbs(click.Group):
    """Loads a verb's module when the verb is called."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all verbs."""
        return list(VERBS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Return a verb; None for a word that is none."""
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"rallyflow.cli.{name}").command
        return command

    def shell_complete(self, _context: click.Context, incomplete: str) -> list[Any]:
        """Complete a verb without loading any."""
        from click.shell_completion import CompletionItem

        found = {name: text for name, text in VERBS.items() if name.startswith(incomplete)}
        return [CompletionItem(name, help=text) for name, text in found.items()]

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the verb that was probably meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from rallyflow.hints import did_you_mean

            raise click.UsageError(f"there is no verb {args[0]!r}; {did_you_mean(args[0], VERBS)}", context)
        return super().resolve_command(context, args)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without loading them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="rallyflow %(version)s")
def cli() -> None:
    """Build, verify and benchmark clouds by workflows that can be resumed.

    \b
    rallyflow apply workflows/quickstart.yaml     run a workflow; writes a report
    rallyflow resume                              go on with the last run
    rallyflow sql "SELECT * FROM actions LIMIT 5" look into the measurements
    """  # noqa: D301 - \b is click's mark for text that is not to be wrapped


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code. Data goes to stdout, everything else to stderr."""
    if "_RALLYFLOW_COMPLETE" in os.environ:
        from rallyflow.cli.completion import answer

        return answer()
    try:
        result: Any = cli.main(args=list(arguments), prog_name="rallyflow", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: what is not an error of ours is a mistake of ours
        code = _shown(error)
        _let_go_of_stdout()
        return code
    return int(result) if isinstance(result, int) else Exit.OK


def _let_go_of_stdout() -> None:
    """Forget what can't be printed any more: Python would try again at its end, and make the exit code its own."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _shown(error: Exception) -> int:
    """Show an error, and return the exit code that it leads to."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show(sys.stderr)
            return Exit.USAGE
        case BrokenPipeError():
            sys.stderr.close()
            return Exit.OK
        case RallyflowError():
            ours = error
        case OSError(strerror=str(why)):
            what = f"{error.filename or 'what is printed'}: {why}"
            ours = StorageError(what, hint="is there space left, and the right to use it?")
        case _:
            import traceback

            traceback.print_exception(error)
            what = f"{type(error).__name__}: {error}"
            ours = InternalError(what, hint="please report this, with the lines above")
    show_error(ours)
    return ours.exit_code
