"""Gathers what a report says, from the journal's records and the booked parts. Reads, never writes."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rallyflow.errors import InputsInvalid
from rallyflow.model.records import Part, RunRecord, StepRecord
from rallyflow.model.step import History
from rallyflow.model.values import BenchmarkResults
from rallyflow.report import matrix, timeline
from rallyflow.report.choices import ChartChoice, Line
from rallyflow.report.content import Benchmark, Group, Report, Verification, clouds
from rallyflow.report.measure import Detail, Measured, benchmark, measure
from rallyflow.report.verdict import verdict
from rallyflow.report.words import count, moment, plain, plural, unit_for
from rallyflow.results import catalogue, queries
from rallyflow.units import format_duration

if TYPE_CHECKING:
    from rallyflow.report.figures import Figure

WORKFLOW = "workflow"  # what a workflow that is a step uses, in the journal
LONGEST_FILE = 200_000  # characters of the workflow file that are shown
_NO_FACTS = ("clouds_yaml", "ledger_id", "versions")
"""What of a cloud is of no use to a reader, or stands in a list of its own."""


def gather(
    history: History,
    run_id: str,
    *,
    of: Sequence[BenchmarkResults] | None = None,
    charts: Sequence[ChartChoice] = (),
    title: str = "",
) -> Report:
    """Return the report of a run: of the benchmarks that `of` names (also of other runs), or all of its own.

    Raises NotFound for an unknown run, InputsInvalid for a chart of what is not there, StorageError.
    """
    run, steps = history.run(run_id), history.steps(run_id)
    records = _chosen(history, steps, of)
    parts = _parts(history, run_id, records)
    with catalogue.connect([run], steps, parts) as connection:
        detail = Detail.of(len(records))
        measured = measure(connection, detail)
        tests = queries.tests(connection)
    benchmarks = _benchmarks(records, measured, detail)
    verifications = [Verification(step, tests[key]) for step in steps if (key := (step.run, step.id)) in tests]
    simulated = [str(cloud.get("name", name)) for name, cloud in clouds(steps).items() if cloud.get("simulated")]
    return Report(
        title or run.name,
        run,
        verdict(run, steps, benchmarks, verifications),
        ", ".join(dict.fromkeys(simulated)),
        _facts(run, steps, benchmarks),
        _provenance(run, steps),
        _versions(steps),
        _seams(run, benchmarks),
        timeline.rows(steps),
        verifications,
        _groups(benchmarks, charts),
        _workflow(run),
        made(),
    )


def _chosen(history: History, steps: Sequence[StepRecord], of: Sequence[BenchmarkResults] | None) -> list[StepRecord]:
    if of is None:
        own = [step for step in steps if step.uses == "benchmark" or _has_measured(step)]
        return [_placed(_as_measured(history, step), steps) for step in own]
    known = {run: {str(step.id): step for step in history.steps(run)} for run in {results.run for results in of}}
    missing = [results.step for results in of if results.step not in known[results.run]]
    if missing:
        raise InputsInvalid(f"of: there is no step {missing[0]!r} in its run")
    return [_placed(known[each.run][each.step], list(known[each.run].values())) for each in of]


def _has_measured(step: StepRecord) -> bool:
    """Whether a step has results of its own; a workflow that is a step may hand on those of the steps inside."""
    return "results" in step.outputs and step.uses != WORKFLOW


def _placed(step: StepRecord, steps: Sequence[StepRecord]) -> StepRecord:
    """Return a step with the axes of the workflows that it is inside of on top of its own.

    So the cells of `point[option=a]/boot[users=1]` and `point[option=b]/boot[users=1]` are cells of one matrix.
    """
    around = [each for each in steps if each.uses == WORKFLOW and step.id.startswith(f"{each.id}/")]
    for outer in sorted(around, key=lambda each: len(each.id), reverse=True):
        name = outer.name + step.name.removeprefix(outer.id)
        step = replace(step, name=name, matrix={**outer.matrix, **step.matrix})
    return step


def _as_measured(history: History, step: StepRecord) -> StepRecord:
    """Return a step as the run has it that measured it, for one whose outcome was taken over."""
    if step.origin is None:
        return step
    return next((each for each in history.steps(step.origin) if each.id == step.id), step)


def _parts(history: History, run: str, records: Sequence[StepRecord]) -> list[Part]:
    """Return the parts of the chosen benchmarks, and the tests of the run."""
    chosen = {(record.run, record.id) for record in records}
    parts = (part for name in {run, *(record.run for record in records)} for part in history.parts(name))
    return [part for part in parts if (part.run, part.step) in chosen or (part.run == run and part.table == "tests")]


def _benchmarks(records: Sequence[StepRecord], measured: Measured, detail: Detail) -> list[Benchmark]:
    return [benchmark(record, measured, charted=number < detail.charted) for number, record in enumerate(records)]


def _groups(benchmarks: Sequence[Benchmark], charts: Sequence[ChartChoice]) -> list[Group]:
    named: dict[tuple[str, str], list[Benchmark]] = {}
    for item in benchmarks:
        named.setdefault((item.record.run, item.record.name), []).append(item)
    groups = list(named.values())
    if charts:
        drawn = _drawn(groups, charts)
    else:
        drawn = [_charts(cells, matrix.defaults(cells)) if len(cells) > 1 else [] for cells in groups]
    return [_group(name, cells, made) for ((_, name), cells), made in zip(named.items(), drawn, strict=True)]


def _drawn(groups: Sequence[Sequence[Benchmark]], charts: Sequence[ChartChoice]) -> list[list[Figure]]:
    """Return the chosen charts of each group; a chart has to fit one group at least, or its error is raised."""
    drawn: list[list[Figure]] = [[] for _ in groups]
    for choice in charts:
        misfits = []
        for figures, cells in zip(drawn, groups, strict=True):
            try:
                figures.extend(_charts(cells, [choice.line]))
            except InputsInvalid as error:
                misfits.append(error)
        if misfits and len(misfits) == sum(bool(matrix.axes_of(cells)) for cells in groups):
            raise misfits[0]
    return drawn


def _charts(cells: Sequence[Benchmark], lines: Sequence[Line]) -> list[Figure]:
    made = (matrix.chart(cells, line) for line in lines if matrix.axes_of(cells))
    return [figure for figure in made if figure]


def _group(name: str, cells: Sequence[Benchmark], figures: Sequence[Figure]) -> Group:
    medians = sorted(cell.summary.durations.median for cell in cells if cell.summary.durations)
    unit = unit_for(medians[len(medians) // 2] if medians else None)
    bare = sum(not cell.figures and bool(cell.summary.count) for cell in cells)
    note = (
        f"{plural(bare, 'cell')} of this matrix have tables only: charts are drawn for the first ones." if bare else ""
    )
    return Group(name, cells, matrix.axes_of(cells), figures, unit, note)


def _facts(run: RunRecord, steps: Sequence[StepRecord], benchmarks: Sequence[Benchmark]) -> list[tuple[str, str]]:
    ended = run.ended_ns or max((step.ended_ns for step in steps), default=0)
    done = sum(step.state.ended for step in steps)
    facts = [
        ("Started", moment(run.created_ns)),
        ("Took", format_duration(max(0, ended - run.created_ns) / 1e9) if ended else "not ended"),
        ("Steps", count(len(steps)) if run.ended_ns else f"{count(done)} of {count(len(steps))} ended"),
    ]
    if benchmarks:
        facts.append(("Iterations", count(sum(item.summary.count for item in benchmarks))))
        facts.append(("Failed", count(sum(item.summary.failed for item in benchmarks))))
    kinds = [f"{cloud['kind']}{' (simulated)' if cloud.get('simulated') else ''}" for cloud in clouds(steps).values()]
    if kinds:
        facts.append(("Cloud", ", ".join(dict.fromkeys(kinds))))
    return facts


def _provenance(run: RunRecord, steps: Sequence[StepRecord]) -> list[tuple[str, str]]:
    rows = [("run", run.id), ("workflow", str(run.workflow)), ("sessions", count(run.sessions))]
    rows += _flat("param ", run.params)
    rows += _flat("", run.provenance)
    for name, cloud in clouds(steps).items():
        rows += _flat(f"{name}: ", {key: value for key, value in cloud.items() if key not in _NO_FACTS})
    return [(key, value) for key, value in rows if value not in ("", "-")]


def _versions(steps: Sequence[StepRecord]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the packages of the clouds with their versions, once for all clouds that have the same."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, cloud in clouds(steps).items():
        versions = tuple((str(package), str(version)) for package, version in cloud.get("versions", {}).items())
        if any(version for _, version in versions):
            found.setdefault(versions, []).append(name)
    return [(", ".join(names), list(versions)) for versions, names in found.items()]


def _flat(prefix: str, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            rows += _flat(f"{prefix}{key} ", value)
        else:
            rows.append((f"{prefix}{str(key).replace('_', ' ')}", plain(value)))
    return rows


def _seams(run: RunRecord, benchmarks: Sequence[Benchmark]) -> list[str]:
    """Say where a run was interrupted and went on."""
    lines = [f"The run was resumed {_times(run.sessions - 1)}."] if run.sessions > 1 else []
    for item in benchmarks:
        for before, after in pairwise(item.sessions):
            gap = format_duration(max(0, after.first_ns - before.last_ns) / 1e9)
            left = f"attempt {before.attempt} left {plural(before.iterations, 'iteration')}"
            went_on = f"attempt {after.attempt} went on {gap} later, at {moment(after.first_ns)}"
            lines.append(f"{item.record.id}: {left}; {went_on}, with {count(after.iterations)} more.")
    return lines


def _times(number: int) -> str:
    return "once" if number == 1 else f"{count(number)} times"


def _workflow(run: RunRecord) -> str:
    try:
        text = run.workflow.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text if len(text) <= LONGEST_FILE else f"{text[:LONGEST_FILE]}\n... cut here: the file is longer"


def made() -> str:
    """Return what has made a page, and where."""
    from rallyflow import __version__

    return f"rallyflow {__version__} on Python {platform.python_version()}, {moment(time.time_ns())}"
