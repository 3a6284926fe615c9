"""The charts of one benchmark cell: a specification, the rows that it draws, and words that say the same.

Rows are kept as columns, which takes a third of the room, and with five digits: more
can't be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rallyflow.report import specs
from rallyflow.report.words import Unit, count, plural, spell
from rallyflow.stats.envelope import Envelope
from rallyflow.stats.histogram import Histogram
from rallyflow.stats.profile import Profile
from rallyflow.stats.summary import ActionSummary, Durations

VISIBLE_SHARE = 0.01  # time outside of actions is drawn when it is more than this share of an iteration

Columns = Mapping[str, Sequence[Any]]
"""Rows, as one sequence of values for each column."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart: title, a sentence or two that say what it shows (its text alternative), what is drawn."""

    title: str
    text: str
    spec: specs.Spec
    data: Mapping[str, Columns]
    wide: bool = True


def stack(envelope: Envelope, unit: Unit) -> Figure:
    """Return the durations of the actions on top of each other, iteration by iteration."""
    series = _series(envelope)
    failed = any(bucket.failed for bucket in envelope.buckets)
    data = {
        "rows": _stack_rows(series, envelope, unit),
        "buckets": _bucket_rows(envelope, unit),
        "failures": _failure_rows(envelope, unit),
    }
    spec = specs.stack(tuple(series), unit.name, exact=envelope.exact, failed=failed)
    return Figure("Actions of each iteration", _stack_text(envelope, unit, failed=failed), spec, data)


def profile(profile: Profile, seams: Sequence[float]) -> Figure:
    """Return the parallel iterations over time; `seams` are the seconds at which a resumed run went on."""
    rows: Columns = {
        "x": [round(index * profile.width, 4) for index in range(len(profile.mean) + 1)],
        "mean": [short(value) for value in (*profile.mean, profile.mean[-1])],
        "highest": [*profile.highest, profile.highest[-1]],
    }
    text = (
        f"At most {plural(max(profile.highest), 'iteration')} ran at the same time. Area: mean of each "
        f"{spell(profile.width)}; line: the most."
    )
    if seams:
        text += " Dashed: where the run was resumed."
    data: dict[str, Columns] = {"rows": rows, "seams": {"x": list(seams)}}
    return Figure("Load profile", text, specs.profile(seams=bool(seams)), data, wide=False)


def histogram(histogram: Histogram, durations: Durations, unit: Unit) -> Figure:
    """Return how the durations of successful iterations are distributed."""
    edges = [short(edge * unit.factor) for edge in histogram.edges]
    marks = [short(value * unit.factor) for value in (durations.median, durations.p95)]
    text = (
        f"Half of the successful iterations took {unit.spell(durations.median)} or less, and 95 of 100 "
        f"{unit.spell(durations.p95)} or less; the longest took {unit.spell(durations.max)}."
    )
    if histogram.logarithmic:
        text += " The axis is logarithmic."
    data: dict[str, Columns] = {
        "rows": {"low": edges[:-1], "high": edges[1:], "count": list(histogram.counts)},
        "marks": {"x": marks, "name": ["median", "p95"]},
    }
    spec = specs.histogram(unit.name, logarithmic=histogram.logarithmic)
    return Figure("Distribution of durations", text, spec, data, wide=False)


def ranges(rows: Sequence[ActionSummary], unit: Unit) -> Figure | None:
    """Return the spread of each action; None for fewer than two that ever succeeded."""
    measured = {row.action.label: row.summary.durations for row in rows if row.summary.durations}
    if len(measured) < 2:
        return None
    data = {
        name: [short(getattr(values, name) * unit.factor) for values in measured.values()]
        for name in ("min", "median", "p95", "max")
    }
    slowest, values = max(measured.items(), key=lambda item: item[1].median)
    text = (
        f"Line: shortest to longest; tick: median; bar: from there to p95. {slowest} takes the most time by "
        f"its median, {unit.spell(values.median)}."
    )
    spec = specs.ranges(tuple(measured), unit.name)
    return Figure("Spread of each action", text, spec, {"rows": {"action": list(measured), **data}})


def short(value: float) -> float:
    """Return the number with five digits that matter."""
    return float(f"{value:.5g}")


def _series(envelope: Envelope) -> dict[str, tuple[float, ...]]:
    series = {action.label: values for action, values in envelope.actions.items()}
    whole = sum(bucket.middle for bucket in envelope.buckets)
    if not series or sum(envelope.outside) > VISIBLE_SHARE * whole:
        series[specs.OUTSIDE if series else "iteration"] = envelope.outside
    return series


def _stack_rows(series: Mapping[str, Sequence[float]], envelope: Envelope, unit: Unit) -> Columns:
    """Return the corners of the areas: each bucket's start, and the end of the last one."""
    corners = [bucket.first - 0.5 for bucket in envelope.buckets] + [envelope.iterations + 0.5]
    names: list[str] = []
    orders: list[int] = []
    values: list[float] = []
    for order, (name, medians) in enumerate(series.items()):
        names += [name] * len(corners)
        orders += [order] * len(corners)
        values += [short(value * unit.factor) for value in (*medians, medians[-1])]
    return {"x": corners * len(series), "y": values, "action": names, "o": orders}


def _bucket_rows(envelope: Envelope, unit: Unit) -> Columns:
    buckets = envelope.buckets
    return {
        "a": [bucket.first - 0.5 for bucket in buckets],
        "b": [bucket.last + 0.5 for bucket in buckets],
        "who": [_who(bucket.first, bucket.last) for bucket in buckets],
        "low": [short(bucket.shortest * unit.factor) for bucket in buckets],
        "mid": [short(bucket.middle * unit.factor) for bucket in buckets],
        "high": [short(bucket.longest * unit.factor) for bucket in buckets],
        "failed": [bucket.failed for bucket in buckets],
    }


def _failure_rows(envelope: Envelope, unit: Unit) -> Columns:
    failed = [bucket for bucket in envelope.buckets if bucket.failed]
    return {
        "x": [(bucket.first + bucket.last) / 2 for bucket in failed],
        "y": [short(bucket.longest * unit.factor) for bucket in failed],
    }


def _who(first: int, last: int) -> str:
    return count(first) if first == last else f"{count(first)} to {count(last)}"


def _stack_text(envelope: Envelope, unit: Unit, *, failed: bool) -> str:
    longest = max(envelope.buckets, key=lambda bucket: bucket.longest)
    which = _who(longest.first, longest.last)
    text = f"The longest iteration took {unit.spell(longest.longest)} (iteration {which})."
    if not envelope.exact:
        size = -(-envelope.iterations // len(envelope.buckets))
        text += f" Colours: median of each action over {count(size)} neighbouring iterations; line: the longest."
    return f"{text} Triangles: failures." if failed else text
