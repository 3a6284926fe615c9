"""`rallyflow doctor`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import home_option, json_option, params_options, read_params
from rallyflow.cli.output import colour, print_json, say
from rallyflow.errors import Exit, JournalUnusable, StorageError, UsageError
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.doctor.fsck import Examined, Finding
    from rallyflow.model.plan import Plan

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_WIDTH, _WIDER = 12, 28
"""Of the names of checks: alone, and with those of a workflow's steps."""
_MOST_SHOWN = 20
"""How many findings of one kind a person gets to see; --json has all."""


@click.command("doctor", short_help="look for what is wrong")
@click.argument("workflow", type=click.Path(path_type=Path), required=False)
@click.option("--fsck", is_flag=True, help="Check the journal against its events, and the parts that it has booked")
@click.option("--fix", is_flag=True, help="With --fsck: put right what can be, from the events, which stay as they are")
@click.option(
    "--salvage",
    type=click.Path(path_type=Path),
    metavar="NEW.db",
    help="Write what can still be read of a damaged journal into a new one",
)
@params_options
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    workflow: Path | None,
    fsck: bool,
    fix: bool,
    salvage: Path | None,
    pairs: tuple[str, ...],
    params_file: Path | None,
    home: str | None,
    as_json: bool,
) -> Exit:
    """Look at this machine and the home, and at what a WORKFLOW's steps need here; changes nothing without --fix.

    With --fsck it looks at what is in the home instead.
    Exits with 1 when this machine or home fails a check, and with 4 when --fsck finds damage that is not fixed.
    """
    place = Home.find(home)
    if workflow is not None and (fsck or salvage):
        raise UsageError("--fsck and --salvage look at a home, not at a workflow", hint="leave one of them out")
    if workflow is None and (pairs or params_file):
        raise UsageError("-p and --params are for a workflow file", hint="rallyflow doctor WORKFLOW -p NAME=VALUE")
    if salvage is not None:
        return _salvage(place, salvage, as_json=as_json)
    if fix and not fsck:
        raise UsageError("--fix is for --fsck", hint="rallyflow doctor --fsck --fix")
    if fsck:
        return _fsck(place, fix=fix, as_json=as_json)
    plan = _plan(workflow, pairs, params_file) if workflow is not None else None
    return _machine(place, plan, as_json=as_json)


def _plan(workflow: Path, pairs: tuple[str, ...], params_file: Path | None) -> Plan:
    from rallyflow.compile.compiler import compile_file

    return compile_file(workflow, read_params(pairs, params_file))


def _machine(home: Home, plan: Plan | None, *, as_json: bool) -> Exit:
    from rallyflow.doctor import machine, workflow
    from rallyflow.model.fitness import Health

    found = []
    width = _WIDER if plan else _WIDTH
    for check in chain(machine.checks(home), workflow.checks(plan) if plan else ()):
        found.append(check)
        if not as_json:
            print(f"{colour(f'{check.state:<5}', _STYLES[check.state])} {check.name:<{width}} {check.text}")
            if check.hint:
                print(f"{'':{width + 6}} {colour('hint', 'cyan')}: {check.hint}")
    failed = any(check.state is Health.FAIL for check in found)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in found]})
    return Exit.USAGE if failed else Exit.OK


def _fsck(home: Home, *, fix: bool, as_json: bool) -> Exit:
    from rallyflow.doctor.fsck import examine
    from rallyflow.doctor.repair import repair
    from rallyflow.journal.store import Journal

    if not home.journal.exists():
        raise UsageError(f"there is no journal in {home.root}", hint="give --home")
    writable = os.access(home.journal, os.W_OK) and os.access(home.root, os.W_OK)
    if fix and not writable:
        raise StorageError(f"{home.root} can't be written", hint="only who may write there can fix it")
    journal = Journal(home.journal, write=writable)
    try:
        found = examine(home, journal)
        done = repair(home, journal, found) if fix else []
        after = examine(home, journal) if fix else found
    finally:
        journal.close()
    if as_json:
        print_json(
            {"clean": not after.damaged, "findings": _json(found), "fixed": done, "left": _json(after) if fix else None}
        )
    else:
        _show(found)
        for what in done:
            print(f"fixed: {what}")
        _conclude(home, after, fixed=fix)
    return Exit.ERRORED if after.damaged else Exit.OK


def _show(found: Examined) -> None:
    kinds: dict[str, list[Finding]] = {}
    for finding in found.findings:
        kinds.setdefault(finding.kind, []).append(finding)
    for findings in kinds.values():
        word, style = ("damage", "red") if findings[0].kind.damage else ("note", "yellow")
        for finding in findings[:_MOST_SHOWN]:
            print(f"{colour(word, style)}: {finding.what}")
            if finding.hint:
                print(f"  {colour('hint', 'cyan')}: {finding.hint}")
        if len(findings) > _MOST_SHOWN:
            print(f"{colour(word, style)}: and {len(findings) - _MOST_SHOWN} more like these; --json has all")


def _conclude(home: Home, found: Examined, *, fixed: bool) -> None:
    counts = {"run": found.runs, "event": found.events, "part": found.parts}
    size = ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items())
    if not found.damaged:
        say(f"{home.root} hangs together: {size}")
        return
    fixable = any(each.kind.fixable and each.kind.damage for each in found.findings)
    say(f"{home.root} is damaged: {size}")
    if fixable and not fixed:
        say(f"{colour('next', 'cyan')}: rallyflow doctor --fsck --fix")
    elif not fixable:
        say(f"{colour('next', 'cyan')}: rallyflow doctor --salvage NEW.db")


def _json(found: Examined) -> list[dict[str, object]]:
    return [{**asdict(each), "damage": each.kind.damage} for each in found.findings]


def _salvage(home: Home, new: Path, *, as_json: bool) -> Exit:
    from rallyflow.journal.salvage import salvage

    if not home.journal.exists():
        raise UsageError(f"there is no journal in {home.root}", hint="give --home")
    if new.exists():
        raise UsageError(f"{new} is there already", hint="name a file that is not")
    try:
        counts = salvage(home.journal, new)
    except sqlite3.Error as error:
        raise JournalUnusable(
            f"nothing of {home.journal} can be read: {error}", hint="restore it from a backup, or use another --home"
        ) from error
    if as_json:
        print_json({"journal": str(new), "rows": counts})
        return Exit.OK
    say(f"saved into {new}: {', '.join(f'{count} {name}s' for name, count in counts.items())}")
    say(_next_after_salvage(home, new))
    return Exit.OK


def _next_after_salvage(home: Home, new: Path) -> str:
    steps: Sequence[str] = (
        f"mv {home.journal} {home.journal}.damaged",
        f"rm -f {home.journal}-wal {home.journal}-shm",
        f"mv {new} {home.journal}",
        "rallyflow doctor --fsck --fix",
    )
    return f"{colour('next', 'cyan')}, when no run is going on:\n" + "\n".join(f"  {step}" for step in steps)
