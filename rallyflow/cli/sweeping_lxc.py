"""`rallyflow cleanup --lxc`: what runs have made of containers on this machine is shown, removed and booked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.cli.cleanup import agreed, ended, say_live
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.cli.resources import shown_age, shown_expiry
from rallyflow.errors import Exit, RallyflowError, RunLocked
from rallyflow.model.ids import RunId
from rallyflow.model.records import Resource
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.cli.sweeping import Wanted
    from rallyflow.servers.providers.lxc.lost import Lost
    from rallyflow.servers.providers.lxc.remote import Agent


@dataclass(slots=True)
class _Swept:
    live: list[RunId]
    removed: int = 0
    stayed: list[tuple[Lost, RallyflowError]] = field(default_factory=list)


def sweep(home: Home, wanted: Wanted, *, dry_run: bool, yes: bool, as_json: bool) -> Exit:
    """Look through this machine, show what was found, ask, and remove it; returns the exit code."""
    from rallyflow.servers.machine import Machine
    from rallyflow.servers.providers.lxc.images import THIS_MACHINE, agent_of
    from rallyflow.servers.providers.lxc.lost import find

    with Machine(THIS_MACHINE) as machine:
        agent = agent_of(machine, say)
        now = time.time_ns()
        meant = [each for each in find(agent) if wanted.has(each.tag, now)]
        live = sorted({each.tag.run for each in meant if _is_worked_on(home, each)})
        found = [each for each in meant if each.tag.run not in live]
        if not as_json:
            _show(home, found, now)
            say_live(live)
        if not dry_run:
            agreed(len(found), yes=yes, as_json=as_json)
        done = _Swept(live) if dry_run else _sweep_runs(home, agent, found, _Swept(live))
    left = [{**_plain(each), "error": error.what} for each, error in done.stayed]
    if as_json:
        about = {"dry_run": dry_run, "live": done.live, "removed": done.removed, "left": left}
        print_json({**about, "found": [_plain(each) for each in found]})
    elif not found:
        say("nothing on this machine carries the tag of a run that is meant")
    if dry_run or not found:
        return Exit.OK
    return ended(left, done.removed, "rallyflow cleanup --lxc", as_json=as_json)


def _sweep_runs(home: Home, agent: Agent, found: Sequence[Lost], done: _Swept) -> _Swept:
    """Remove what was found, the newest run first; a run that has become live meanwhile is left alone."""
    from rallyflow.engine.cleanup import book_gone, held
    from rallyflow.servers.providers.lxc.lost import remove

    for run in sorted({each.tag.run for each in found}, reverse=True):
        gone: list[Lost] = []
        mine = [each for each in found if each.tag.run == run]
        try:
            with ExitStack() as stack:
                for each in _homes(home, mine[0]):
                    stack.enter_context(held(each, run))
                done.stayed += remove(agent, mine, gone.append)
                book_gone(home, run, partial(_is_about_one, gone))
        except RunLocked:
            done.live.append(run)
        done.removed += len(gone)
    return done


def _homes(home: Home, lost: Lost) -> list[Home]:
    """Return where the run may be worked on that has made something: in this home, and in that which it says."""
    directory = Path(lost.directory)
    known = [Home(directory.parent.parent)] if directory.name == lost.tag.run and directory.is_dir() else []
    return list({each.root.resolve(): each for each in (home, *known)}.values())


def _is_worked_on(home: Home, lost: Lost) -> bool:
    from rallyflow.engine.locks import is_live

    return any(is_live(each.run(lost.tag.run)) for each in _homes(home, lost))


def _is_about_one(gone: Sequence[Lost], row: Resource) -> bool:
    """Whether a row of the ledger stands for one of some things on this machine."""
    return any(_is_about(row, each) for each in gone)


def _is_about(row: Resource, lost: Lost) -> bool:
    named = row.name == lost.name or row.detail.get("bridge") == lost.name
    return row.kind == lost.kind and named and row.detail.get("host", {}).get("connection") == "local"


def _show(home: Home, found: Sequence[Lost], now_ns: int) -> None:
    if not found:
        return
    print_table(
        ("run", "home", "age", "expires", "kind", "name", "runs"),
        [
            (
                *(each.tag.run, "this" if home.run(each.tag.run).is_dir() else "another"),
                *(shown_age(each.tag.started_ns, now_ns), shown_expiry(each.tag.expires_ns, now_ns)),
                *(each.kind, each.name, "yes" if each.running else "-"),
            )
            for each in found
        ],
    )
    if any(not each.run(lost.tag.run).is_dir() for lost in found for each in _homes(home, lost)[-1:]):
        say(colour("note: a run of another home may still be going on; nobody can tell from here", "yellow"))


def _plain(lost: Lost) -> dict[str, Any]:
    tag = lost.tag
    return {"run": tag.run, "kind": lost.kind, "name": lost.name, "expires_ns": tag.expires_ns}
