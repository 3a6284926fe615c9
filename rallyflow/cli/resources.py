"""`rallyflow resources [RUN]`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import print_json, print_table
from rallyflow.cli.runs import shown_state
from rallyflow.errors import Exit, UsageError
from rallyflow.model.records import Resource
from rallyflow.settings import Home
from rallyflow.units import format_duration

_COLUMNS = ("id", "run", "run state", "step", "kind", "name", "state", "external id", "age", "expires")


@click.command("resources", short_help="list what runs left")
@click.argument("run", required=False, shell_complete=completing("runs"))
@click.option("--run", "run_option", metavar="RUN", shell_complete=completing("runs"), help="Of one run: as RUN")
@click.option("--kind", metavar="KIND", help="Of one kind: openstack.server, server, or all of openstack")
@click.option("--expired", is_flag=True, help="Only what its `ttl` is over for")
@home_option
@json_option
def command(
    run: str | None, run_option: str | None, kind: str | None, expired: bool, home: str | None, as_json: bool
) -> Exit:
    """List everything outside that runs made and did not remove: of one run, or of all.

    An object in the state `intent` may or may not be there: its run ended while it was being made.
    """
    if run and run_option:
        raise UsageError("the run is named twice", hint="rallyflow resources RUN")
    place = Home.find(home)
    reader = open_reader(place)
    found = reader.resources(reader.find(run or run_option or "").id if run or run_option else None)
    now = time.time_ns()
    chosen = [each for each in found if (not kind or is_of(each, kind)) and (not expired or has_expired(each, now))]
    states = {str(each.id): shown_state(place, each) for each in reader.runs()} if chosen else {}
    if as_json:
        print_json([{**asdict(each), "run_state": states[each.run]} for each in chosen])
    else:
        print_table(_COLUMNS, _rows(chosen, states, now))
    return Exit.OK


def is_of(resource: Resource, kind: str) -> bool:
    """Whether a resource is of a kind, given in full or by one of its halves."""
    return kind == resource.kind or kind in resource.kind.split(".", 1)


def has_expired(resource: Resource, now_ns: int) -> bool:
    """Whether a resource has a time to live, and that is over."""
    return 0 < resource.expires_ns <= now_ns


def shown_expiry(expires_ns: int, now_ns: int) -> str:
    """Return when something expires, or did, as a person says it."""
    if not expires_ns:
        return "-"
    seconds = (expires_ns - now_ns) / 1e9
    return f"in {format_duration(seconds)}" if seconds > 0 else f"{format_duration(-seconds)} ago"


def shown_age(since_ns: int, now_ns: int) -> str:
    """Return how long something has been there; a clock that was set back makes it new."""
    return format_duration(max(0, now_ns - since_ns) / 1e9)


def _rows(resources: Iterable[Resource], states: Mapping[str, str], now_ns: int) -> list[tuple[Any, ...]]:
    return [
        (
            *(each.id, each.run, states[each.run], each.step, each.kind, each.name, each.state),
            *(each.external_id or "-", shown_age(each.created_ns, now_ns), shown_expiry(each.expires_ns, now_ns)),
        )
        for each in resources
    ]
