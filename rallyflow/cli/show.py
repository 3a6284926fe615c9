"""`rallyflow show [RUN]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import click

from rallyflow.cli.options import home_option, json_option, open_reader, run_argument
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.cli.runs import DEAD, shown_state
from rallyflow.errors import Exit
from rallyflow.model.records import Part, Resource, RunRecord, StepRecord
from rallyflow.model.states import StepState
from rallyflow.settings import Home
from rallyflow.units import format_bytes, format_duration

_IN_FLIGHT = frozenset({StepState.READY, StepState.RUNNING, StepState.RETRYING, StepState.REVIVING})
_COLUMNS = ("step", "uses", "state", "attempt", "took", "cpu", "memory", "why")


@click.command("show", short_help="show a run")
@run_argument
@home_option
@json_option
def command(run: str, home: str | None, as_json: bool) -> Exit:
    """Show a run: its steps with states, times and reasons, its measurements, and what is left of it outside."""
    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    steps, resources, parts = reader.steps(record.id), reader.resources(record.id), reader.parts(record.id)
    state = shown_state(place, record)
    if state == DEAD:  # nothing of it is running any more
        steps = [replace(step, state=StepState.INTERRUPTED) if step.state in _IN_FLIGHT else step for step in steps]
    if as_json:
        print_json(
            {
                **asdict(record),
                "state": state,
                "steps": [asdict(step) for step in steps],
                "resources": [asdict(resource) for resource in resources],
                "rows": _rows(parts),
            }
        )
        return Exit.OK
    _show(record, state, steps, resources, parts)
    return Exit.OK


def _show(
    record: RunRecord,
    state: str,
    steps: Sequence[StepRecord],
    resources: Sequence[Resource],
    parts: Sequence[Part],
) -> None:
    print(f"run      {record.id}  ({record.name}, {record.workflow})")
    print(f"state    {state}" + (f", {record.sessions} sessions" if record.sessions > 1 else ""))
    for name, value in record.params.items():
        print(f"param    {name} = {value}")
    for table, rows in _rows(parts).items():
        print(f"rows     {table}: {rows}")
    print()
    print_table(_COLUMNS, [_step_row(step) for step in steps])
    if resources:
        print()
        print_table(
            ("left", "kind", "name", "state", "step"),
            [(each.id, each.kind, each.name, each.state, each.step) for each in resources],
        )
    following = _next(record, state, left=bool(resources))
    if following:
        say(f"\n{colour('next', 'cyan')}: {'   or   '.join(following)}")


def _next(record: RunRecord, state: str, *, left: bool) -> list[str]:
    """Return the commands that a person may want to type now."""
    commands = []
    if state == "paused":
        commands.append(f"rallyflow approve {record.id}")
    if state in ("dead", "interrupted", "cancelled", "errored", "paused"):
        commands.append(f"rallyflow resume {record.id}")
    if left and state != "running":
        commands.append(f"rallyflow destroy {record.id}")
    return commands


def _step_row(step: StepRecord) -> tuple[Any, ...]:
    took = format_duration(step.took_ns / 1e9) if step.took_ns else "-"
    cpu = format_duration(step.cpu_s) if step.cpu_s else "-"
    memory = format_bytes(step.memory_bytes) if step.memory_bytes else "-"
    why = f"{step.error['code']} {step.error['what']}" if step.error else step.reason
    if step.origin is not None:
        why = f"taken over from run {step.origin}" + (f"; {why}" if why else "")
    return step.id, step.uses, step.state, step.attempt, took, cpu, memory, why or "-"


def _rows(parts: Sequence[Part]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for part in parts:
        rows[part.table] = rows.get(part.table, 0) + part.rows
    return rows
