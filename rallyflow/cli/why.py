"""`rallyflow why [RUN] STEP`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import colour, print_json, printable
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home
from rallyflow.units import format_duration

if TYPE_CHECKING:
    from rallyflow.engine.reasons import Other, Reasons
    from rallyflow.journal.reader import JournalReader
    from rallyflow.model.records import Attempt, RunRecord


@click.command("why", short_help="say why a step is as it is")
@click.argument("run", shell_complete=completing("runs"))
@click.argument("step", shell_complete=completing("steps"))
@click.option("--against", metavar="RUN", help="Compare with the step in this run, not with the run before")
@click.option("--with", "workflow", type=click.Path(path_type=Path), help="Compare with what a file has now")
@home_option
@json_option
def command(run: str, step: str, against: str | None, workflow: Path | None, home: str | None, as_json: bool) -> Exit:
    """Say why a step of a run was skipped, failed, ran again or was taken over, and what has changed.

    Shows what the step waited for, every attempt with what followed it, and what of its inputs is not as in the run
    before of the same workflow (another with --against, a file with --with): `resume --with` and `rerun` go by it.

    \b
    rallyflow why @latest boot
    rallyflow why @latest 'boot[users=5]' --with cloud-bench.yaml
    """  # noqa: D301 - \b is click's mark
    from rallyflow.engine.reasons import reasons
    from rallyflow.engine.reuse import chosen_steps
    from rallyflow.engine.revising import earlier_plan

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    plan, records = earlier_plan(reader, place, record), reader.steps(record.id)
    wanted = chosen_steps({each.id: each.name for each in records}, [step])
    others = _others(reader, place, record, against, workflow)
    found = [
        reasons(each, plan, records, [event for _, event in reader.events_of(record.id, each.id)], others)
        for each in records
        if each.id in wanted
    ]
    if as_json:
        print_json([_data(each) for each in found])
    else:
        for each in found:
            _print(each)
    return Exit.OK


def _others(
    reader: JournalReader, home: Home, run: RunRecord, against: str | None, workflow: Path | None
) -> list[Other]:
    """Return the plans that a step is compared with."""
    from rallyflow.cli.previewing import recompiled
    from rallyflow.engine.reasons import Other
    from rallyflow.engine.revising import earlier_plan
    from rallyflow.errors import StorageError

    if workflow is not None:
        return [Other(str(workflow), recompiled(reader, home, run, workflow, {}), later=True)]
    before = list(_earlier_plans(home, run))
    other = reader.find(against) if against is not None else _run_before(reader, run)
    if other is not None:
        try:
            before.append(Other(f"run {other.id}", earlier_plan(reader, home, other)))
        except StorageError:
            if against is not None:
                raise
    return before


def _earlier_plans(home: Home, run: RunRecord) -> list[Other]:
    """Return the plans that the run went by before it was resumed with an edited workflow."""
    from rallyflow.engine.reasons import Other
    from rallyflow.engine.session import plan_files, read_plan

    files = plan_files(home.run(run.id))
    earlier = files[: files.index(run.plan)] if run.plan in files else []
    called = "this run before it was resumed with an edited file"
    return [Other(f"{called} ({name})", read_plan(home.run(run.id), name)) for name in earlier]


def _run_before(reader: JournalReader, run: RunRecord) -> RunRecord | None:
    """Return the run that a run is a rerun of, else the one of the same workflow before it."""
    if run.parent is not None:
        try:
            return reader.run(run.parent)
        except UsageError:
            return None
    earlier = [each for each in reader.runs() if each.name == run.name]
    place = next(number for number, each in enumerate(earlier) if each.id == run.id)
    return earlier[place - 1] if place else None


def _print(found: Reasons) -> None:
    step = found.step
    print(colour(f"{step.id}  {step.uses}  {step.state}", "bold"))
    for label, text in _facts(found):
        print(f"  {label:<10}{printable(text)}")
    for comparison in found.comparisons:
        same = "the same" if not comparison.changes else ""
        print(f"  compared with {comparison.with_}: {same}".rstrip())
        for change in comparison.changes:
            print(f"    {printable(change)}")


def _facts(found: Reasons) -> Iterator[tuple[str, str]]:
    """Give each thing to say about a step, with a word for what it is."""
    step, error = found.step, found.step.error
    if error:
        yield "error", f"{error['code']} {error['what']}"
    elif step.reason:
        yield "why", step.reason
    if error.get("hint"):
        yield "hint", error["hint"]
    for number, because in enumerate(found.because):
        yield "because" if not number else "", f"{'  ' * number}{because}"
    if found.origin is not None:
        yield "taken", f"from run {found.origin}: it has not run here"
    if found.condition:
        yield "if", found.condition
    if found.needs:
        yield "waits for", ", ".join(f"{need.id} ({need.state})" for need in found.needs)
    for attempt in found.attempts:
        yield f"attempt {attempt.number}", _attempt(attempt)


def _attempt(attempt: Attempt) -> str:
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started_ns / 1e9))
    took = f"after {format_duration(attempt.took_s)}" if attempt.took_s is not None else ""
    error = attempt.error
    what = f"{error['code']} {error['what']} ({error['kind']})" if error else attempt.reason
    words = [began, attempt.state, took, printable(what), f"-> {attempt.again}" if attempt.again else ""]
    return "  ".join(word for word in words if word)


def _data(found: Reasons) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "step": found.step.id,
        "uses": found.step.uses,
        "state": found.step.state,
        "reason": found.step.reason,
        "error": found.step.error,
        "because": found.because,
        "origin": found.origin,
        "condition": found.condition,
        "needs": [{"step": need.id, "state": need.state} for need in found.needs],
        "attempts": [asdict(attempt) for attempt in found.attempts],
        "compared": [
            {"with": each.with_, "same": not each.changes, "changes": each.changes} for each in found.comparisons
        ],
    }
