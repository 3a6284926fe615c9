"""`rallyflow cleanup`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader, seconds_of
from rallyflow.cli.output import colour, print_json, print_table, say, show_error
from rallyflow.cli.resources import has_expired, shown_age, shown_expiry
from rallyflow.cli.runs import shown_state
from rallyflow.errors import Exit, LeftBehind, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.engine.cleanup import Choice, Chosen, Removal
    from rallyflow.journal.reader import JournalReader
    from rallyflow.model.ids import RunId

_COLUMNS = ("run", "run state", "step", "kind", "name", "state", "age", "expires")


@click.command("cleanup", short_help="remove what runs left")
@click.option("--all", "everything", is_flag=True, help="Of all runs of this home, whatever is in the ledger")
@click.option("--expired", is_flag=True, help="Only what its `ttl` is over for")
@click.option("--cloud", metavar="NAME", help="What this cloud shows of any run: an entry of clouds.yaml, or envvars")
@click.option("--cloud-of", metavar="RUN", shell_complete=completing("runs"), help="The same, of the cloud of a run")
@click.option("--lxc", is_flag=True, help="What this machine has of containers of any run")
@click.option("--clouds-yaml", type=click.Path(path_type=Path), help="The clouds.yaml that has NAME")
@click.option("--run", metavar="RUN", help="Only of one run, which need not be of this home; with --cloud or --lxc")
@click.option(
    "--older-than",
    callback=seconds_of,
    metavar="TIME",
    help="Only of runs that began so long ago; with --cloud or --lxc",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing")
@click.option("-y", "--yes", is_flag=True, help="Do not ask")
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    everything: bool,
    expired: bool,
    cloud: str | None,
    cloud_of: str | None,
    lxc: bool,
    clouds_yaml: Path | None,
    run: str | None,
    older_than: float | None,
    dry_run: bool,
    yes: bool,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Remove what runs made outside and did not remove. Runs that a process works on are left alone.

    \b
    rallyflow cleanup --all                        from the ledger of this home, the newest first
    rallyflow cleanup --expired                    the same, but only what is past its time to live
    rallyflow cleanup --cloud mycloud --dry-run    what a cloud has of any run, found by its names:
                                                   when the journal is lost, or was on another machine
    rallyflow cleanup --lxc --dry-run              the same, of containers on this machine
    """  # noqa: D301 - \b is click's mark
    place = Home.find(home)
    by_name = [lxc, bool(cloud), bool(cloud_of)]
    if [everything, *by_name].count(True) + (expired and not any(by_name)) != 1:
        raise UsageError("clean up what?", hint="give one of --all, --expired, --cloud NAME, --cloud-of RUN and --lxc")
    if lxc and not clouds_yaml:
        from rallyflow.cli import sweeping_lxc
        from rallyflow.cli.sweeping import Wanted

        return sweeping_lxc.sweep(place, Wanted(run, older_than, expired), dry_run=dry_run, yes=yes, as_json=as_json)
    if cloud or cloud_of:
        from rallyflow.cli import sweeping

        target = sweeping.target_of_run(place, cloud_of) if cloud_of else sweeping.target(cloud or "", clouds_yaml)
        wanted = sweeping.Wanted(run, older_than, expired)
        return sweeping.sweep(place, target, wanted, dry_run=dry_run, yes=yes, as_json=as_json)
    if run or older_than or clouds_yaml:
        raise UsageError(
            "--run and --older-than are for --cloud and --lxc, --clouds-yaml for --cloud", hint="rallyflow destroy RUN"
        )
    now = time.time_ns()
    again = f"rallyflow cleanup {'--expired' if expired else '--all'}"
    return _clean(
        place, lambda each: not expired or has_expired(each, now), again, dry_run=dry_run, yes=yes, as_json=as_json
    )


def agreed(count: int, *, yes: bool, as_json: bool) -> None:
    """Ask on a terminal whether so many things may be removed; aborts unless they may."""
    if count and not yes and not as_json and sys.stdin.isatty():
        click.confirm(f"Remove {'it' if count == 1 else f'these {count}'}?", abort=True, err=True)


def say_live(live: Sequence[RunId]) -> None:
    """Say which runs are left alone."""
    for run in live:
        say(f"note: a process works on run {run}: it is left alone")


def ended(left: Sequence[Mapping[str, Any]], removed: int, again: str, *, as_json: bool) -> Exit:
    """Say what was removed and what stayed, and why; returns the exit code."""
    if not as_json:
        say(f"removed {removed} of {removed + len(left)}")
        for each in left:
            say(f"  {colour('left', 'red')}: {each['kind']} {each['name']}: {each['error']}")
    if not left:
        return Exit.OK
    show_error(LeftBehind(f"{len(left)} resources could not be removed", hint=f"try again: {again}"))
    return Exit.LEFT_BEHIND


def _clean(place: Home, only: Choice, again: str, *, dry_run: bool, yes: bool, as_json: bool) -> Exit:
    from rallyflow.cli.live import Lines
    from rallyflow.engine.cleanup import Removal, choose, remove

    reader = open_reader(place)
    chosen, live = choose(place, reader, only)
    count = sum(len(each.resources) for each in chosen)
    if not as_json:
        _show(place, reader, chosen)
        say_live(live)
    if not dry_run:
        agreed(count, yes=yes, as_json=as_json)
    done = Removal(0) if dry_run else remove(place, chosen, only, Lines())
    if as_json:
        print_json(_json(chosen, (*live, *done.live), done, dry_run=dry_run))
    elif not count:
        say("there is nothing to remove")
    if dry_run or not count:
        return Exit.OK
    if not as_json:
        say_live(done.live)
    return ended(_left(done), done.removed, again, as_json=as_json)


def _show(place: Home, reader: JournalReader, chosen: Sequence[Chosen]) -> None:
    if not chosen:
        return
    now = time.time_ns()
    states = {run.id: shown_state(place, run) for run in reader.runs()}
    print_table(
        _COLUMNS,
        [
            (
                *(each.run, states[each.run], each.step, each.kind, each.name, each.state),
                *(shown_age(each.created_ns, now), shown_expiry(each.expires_ns, now)),
            )
            for group in chosen
            for each in reversed(group.resources)
        ],
    )


def _left(done: Removal) -> list[dict[str, Any]]:
    return [
        {"run": row.run, "kind": row.kind, "name": row.name, "external_id": row.external_id, "error": each.error.what}
        for each in done.left
        for row in [each.resource]
    ]


def _json(chosen: Sequence[Chosen], live: Sequence[RunId], done: Removal, *, dry_run: bool) -> dict[str, Any]:
    names = ("id", "run", "step", "kind", "name", "state", "external_id", "created_ns", "expires_ns")
    found = [{name: getattr(each, name) for name in names} for group in chosen for each in reversed(group.resources)]
    return {"dry_run": dry_run, "found": found, "removed": done.removed, "left": _left(done), "live": list(live)}
