"""Says what is about to happen to each step of a run that takes something over from before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.output import colour, printable, say
from rallyflow.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rallyflow.engine.forecast import Forecast, StepForecast
    from rallyflow.engine.reuse import Reuse
    from rallyflow.journal.reader import JournalReader
    from rallyflow.model.plan import Plan
    from rallyflow.model.records import Resource, RunRecord
    from rallyflow.settings import Home

_MANY = 12  # cells of one matrix that are still listed one by one
_SHADES = {"run": "bold", "skip": "dim", "reuse": "dim", "verify": "cyan"}


def recompiled(reader: JournalReader, home: Home, run: RunRecord, workflow: Path, given: Mapping[str, Any]) -> Plan:
    """Return the plan of a workflow file with the params that an earlier run was given, and those given now over them.

    Params that the file does not have any more are left out; those that were not given have the file's own defaults.
    """
    from rallyflow.compile.compiler import compile_file
    from rallyflow.compile.reader import read_workflow
    from rallyflow.engine.revising import earlier_plan

    before = earlier_plan(reader, home, run)
    data, _ = read_workflow(workflow)
    declared = data.get("params") if isinstance(data, dict) else None
    kept = {name: before.params[name] for name in before.given if isinstance(declared, dict) and name in declared}
    return compile_file(workflow, {**kept, **given})


def foresee(reuse: Reuse, reader: JournalReader, workers: int) -> Forecast:
    """Return what would happen to each step, with how long that took in earlier runs."""
    from rallyflow.engine.forecast import forecast

    seconds = reader.durations(reuse.plan.name)
    return forecast(reuse.plan, workers=workers, seconds=seconds, earlier=reuse.outlook, why=reuse.why)


def say_preview(foreseen: Forecast, gone: Iterable[str] = ()) -> None:
    """Print, as talk, what is about to happen; `gone` are the steps that the run has had until now."""
    from rallyflow.units import format_duration

    groups = grouped(foreseen)
    width = max((len(_name(group)) for group in groups), default=0)
    for group in groups:
        action = colour(f"{group[0].action:<7}", _SHADES[group[0].action])
        say(f"  {action} {_name(group):<{width}}  {colour(printable(group[0].why), 'dim')}".rstrip())
    for step in gone:
        say(
            f"  {colour('gone   ', 'yellow')} {step:<{width}}  {colour('what it made is removed with the rest', 'dim')}"
        )
    counts: dict[str, int] = {}
    for each in foreseen.steps:
        counts[each.action] = counts.get(each.action, 0) + 1
    total = f", about {format_duration(foreseen.seconds)}" if foreseen.seconds else ""
    say(f"{', '.join(f'{count} to {action}' for action, count in counts.items())}{total}")


def confirm_removal(reuse: Reuse, reader: JournalReader, run: RunRecord) -> None:
    """Ask, at a terminal, whether what changed steps have made may be removed, to be made anew."""
    anew = {step for step, decision in reuse.decisions.items() if decision.anew}
    doomed: list[Resource] = [each for each in reader.resources(run.id) if each.step in anew]
    if not doomed:
        return
    names = ", ".join(f"{each.kind} {each.name}" for each in doomed[:5]) + ", …" * (len(doomed) > 5)
    say(f"{colour('note', 'yellow')}: {len(doomed)} objects of changed steps are removed and made anew: {names}")
    if sys.stdin.isatty() and sys.stderr.isatty() and not click.confirm("Go on?", err=True):
        raise click.exceptions.Exit(Exit.USAGE)


def grouped(foreseen: Forecast, *, every: bool = False) -> list[list[StepForecast]]:
    """Return the rows to print: the many cells of a matrix that share their fate are one."""
    groups: dict[tuple[str, str, str], list[StepForecast]] = {}
    for each in foreseen.steps:
        groups.setdefault((each.step.name, each.action, each.why), []).append(each)
    rows: list[list[StepForecast]] = []
    for each in foreseen.steps:
        group = groups[each.step.name, each.action, each.why]
        if every or len(group) <= _MANY:
            rows.append([each])
        elif group[0] is each:
            rows.append(group)
    return rows


def _name(group: list[StepForecast]) -> str:
    step = group[0].step
    return step.id if len(group) == 1 else f"{step.name}[{len(group)} cells]"
