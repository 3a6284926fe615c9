"""The charts of one benchmark cell, as Vega-Lite specifications written with Altair.

A figure carries its rows as columns beside the specification, which the page joins: that is a third of the size. Colours are
names of the page's style, so that charts follow dark mode and print. Widths are the page's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rallyflow.report.words import Unit, count, digits, plural
from rallyflow.stats.envelope import Envelope
from rallyflow.stats.histogram import Histogram
from rallyflow.stats.profile import Profile
from rallyflow.stats.summary import ActionSummary, Durations

PALETTE = [f"var(--c{index})" for index in range(1, 9)]
OUTSIDE = "outside of actions"
VISIBLE_SHARE = 0.01  # time outside of actions is drawn when it is more than this share of an iteration
HEIGHT = 220

Columns = Mapping[str, Sequence[Any]]
"""Rows, as one sequence of values for each column."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart: a title, a sentence or two that say what it shows (its text alternative), and what Vega-Lite draws."""

    title: str
    text: str
    spec: Mapping[str, Any]
    data: Mapping[str, Columns]
    wide: bool = True


def stack(envelope: Envelope, unit: Unit) -> Figure:
    """Return the durations of the actions on top of each other, iteration by iteration."""
    import altair as alt

    series = _series(envelope)
    labels = list(series)
    colour = alt.Color(
        "action:N", title=None, sort=labels, scale=alt.Scale(domain=labels, range=_colours(len(labels)))
    )
    x = alt.X(
        "x:Q",
        title="iteration, in the order of starts",
        scale=alt.Scale(domain=[0.5, envelope.iterations + 0.5], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d"),
    )
    area = (
        alt.Chart(named("rows"))
        .mark_area(interpolate="step-after", line=False)
        .encode(x=x, y=alt.Y("y:Q", stack="zero", title=f"duration ({unit.name})"), color=colour, order="o:Q")
    )
    layers = [area, *_outline(envelope, unit), *_failed_marks(envelope), _stack_hover(unit)]
    return Figure(
        "Actions of each iteration",
        _stack_text(envelope, unit),
        make_spec(alt.layer(*layers)),
        {
            "rows": _stack_rows(series, envelope, unit),
            "buckets": _bucket_rows(envelope, unit),
            "failures": _failure_rows(envelope, unit),
        },
    )


def profile(profile: Profile, seams: Sequence[float]) -> Figure:
    """Return the parallel iterations over time; `seams` are the seconds at which a resumed run went on."""
    import altair as alt

    base = alt.Chart(named("rows")).encode(x=alt.X("x:Q", title="time since the first start (s)"))
    y_title = "iterations at a time"
    area = base.mark_area(interpolate="step-after", color="var(--c1)", opacity=0.35).encode(
        y=alt.Y("mean:Q", title=y_title)
    )
    line = base.mark_line(interpolate="step-after", color="var(--c1)", strokeWidth=1.2).encode(
        y=alt.Y("highest:Q", title=y_title, axis=alt.Axis(tickMinStep=1))
    )
    rule = (
        alt.Chart(named("seams"))
        .mark_rule(color="var(--warn)", strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x="x:Q")
    )
    edges = [round(index * profile.width, 4) for index in range(len(profile.mean) + 1)]
    rows: Columns = {
        "x": edges,
        "mean": [short(value) for value in (*profile.mean, profile.mean[-1])],
        "highest": [*profile.highest, profile.highest[-1]],
    }
    text = f"At most {plural(max(profile.highest), 'iteration')} ran at the same time. Area: mean of each {digits(profile.width)} s; line: the most."
    if seams:
        text += " Dashed: where the run was resumed."
    layers = [area, line, rule] if seams else [area, line]
    return Figure(
        "Load profile",
        text,
        make_spec(alt.layer(*layers)),
        {"rows": rows, "seams": {"x": list(seams)}},
        wide=False,
    )


def histogram(histogram: Histogram, durations: Durations, unit: Unit) -> Figure:
    """Return how the durations of successful iterations are distributed."""
    import altair as alt

    scale = alt.Scale(type="log", nice=False) if histogram.logarithmic else alt.Scale(zero=False, nice=False)
    bars = (
        alt.Chart(named("rows"))
        .mark_bar(color="var(--c1)", opacity=0.75, binSpacing=1)
        .encode(
            x=alt.X("low:Q", title=f"duration ({unit.name})", scale=scale, bin="binned"),
            x2="high:Q",
            y=alt.Y("count:Q", title="iterations", axis=alt.Axis(tickMinStep=1)),
            tooltip=[
                alt.Tooltip("low:Q", format=".4~g", title=f"from ({unit.name})"),
                alt.Tooltip("high:Q", format=".4~g", title=f"to ({unit.name})"),
                alt.Tooltip("count:Q", title="iterations"),
            ],
        )
    )
    marks = alt.Chart(named("marks")).encode(x="x:Q")
    rules = marks.mark_rule(color="var(--ink)", strokeDash=[3, 2])
    names = marks.mark_text(align="left", dx=3, dy=6, baseline="top", color="var(--ink)").encode(
        y=alt.value(0), text="name:N"
    )
    edges = [short(edge * unit.factor) for edge in histogram.edges]
    text = (
        f"Half of the successful iterations took {unit.spell(durations.median)} or less, and 95 of 100 "
        f"{unit.spell(durations.p95)} or less; the longest took {unit.spell(durations.max)}."
    )
    if histogram.logarithmic:
        text += " The axis is logarithmic."
    data: dict[str, Columns] = {
        "rows": {"low": edges[:-1], "high": edges[1:], "count": list(histogram.counts)},
        "marks": {
            "x": [short(durations.median * unit.factor), short(durations.p95 * unit.factor)],
            "name": ["median", "p95"],
        },
    }
    return Figure(
        "Distribution of durations", text, make_spec(alt.layer(bars, rules, names)), data, wide=False
    )


def ranges(rows: Sequence[ActionSummary], unit: Unit) -> Figure | None:
    """Return the spread of each action: all of it, the part from the median to p95, and the median."""
    import altair as alt

    measured = [(row.action.label, row.summary.durations) for row in rows if row.summary.durations]
    if len(measured) < 2:
        return None
    labels = [label for label, _ in measured]
    base = alt.Chart(named("rows")).encode(
        y=alt.Y("action:N", sort=labels, title=None, axis=alt.Axis(labelLimit=180, ticks=False, domain=False))
    )
    x_title = f"duration ({unit.name})"
    whole = base.mark_rule(color="var(--muted)", strokeWidth=1).encode(
        x=alt.X("min:Q", title=x_title), x2="max:Q"
    )
    upper = base.mark_bar(color="var(--c1)", height=9, opacity=0.7).encode(x="median:Q", x2="p95:Q")
    middle = base.mark_tick(color="var(--ink)", thickness=2, height=15).encode(x="median:Q")
    names = ("min", "median", "p95", "max")
    data = {name: [short(getattr(values, name) * unit.factor) for _, values in measured] for name in names}
    slowest = max(measured, key=lambda item: item[1].median if item[1] else 0.0)
    text = f"Line: shortest to longest; bar: median to p95. {slowest[0]} takes the most time by its median, {unit.spell(slowest[1].median) if slowest[1] else ''}."
    spec = make_spec(alt.layer(whole, upper, middle), height=26 * len(labels) + 10)
    return Figure("Spread of each action", text, spec, {"rows": {"action": labels, **data}}, wide=True)


def _series(envelope: Envelope) -> dict[str, tuple[float, ...]]:
    series = {action.label: values for action, values in envelope.actions.items()}
    whole = sum(bucket.middle for bucket in envelope.buckets)
    if not series or sum(envelope.outside) > VISIBLE_SHARE * whole:
        series[OUTSIDE if series else "iteration"] = envelope.outside
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


def _who(first: int, last: int) -> str:
    return count(first) if first == last else f"{count(first)} to {count(last)}"


def _outline(envelope: Envelope, unit: Unit) -> list[Any]:
    """Return the longest iteration of each bucket as a line, where buckets hold more than one."""
    import altair as alt

    if envelope.exact:
        return []
    return [
        alt.Chart(named("buckets"))
        .mark_rule(color="var(--ink)", strokeWidth=1, opacity=0.75)
        .encode(x="a:Q", x2="b:Q", y=alt.Y("high:Q", title=f"duration ({unit.name})"))
    ]


def _failed_marks(envelope: Envelope) -> list[Any]:
    """Return a mark for each bucket with failures; no layer without any, which Vega would warn about."""
    import altair as alt

    if not any(bucket.failed for bucket in envelope.buckets):
        return []
    mark = alt.Chart(named("failures")).mark_point(
        shape="triangle-down", filled=True, size=45, color="var(--bad)", opacity=1, yOffset=-5
    )
    return [mark.encode(x="x:Q", y="y:Q")]


def _failure_rows(envelope: Envelope, unit: Unit) -> Columns:
    failed = [bucket for bucket in envelope.buckets if bucket.failed]
    return {
        "x": [(bucket.first + bucket.last) / 2 for bucket in failed],
        "y": [short(bucket.longest * unit.factor) for bucket in failed],
    }


def _stack_hover(unit: Unit) -> Any:
    import altair as alt

    return (
        alt.Chart(named("buckets"))
        .mark_rect(opacity=0)
        .encode(
            x="a:Q",
            x2="b:Q",
            tooltip=[
                alt.Tooltip("who:N", title="iteration"),
                alt.Tooltip("low:Q", title=f"shortest ({unit.name})"),
                alt.Tooltip("mid:Q", title=f"median ({unit.name})"),
                alt.Tooltip("high:Q", title=f"longest ({unit.name})"),
                alt.Tooltip("failed:Q", title="failed"),
            ],
        )
    )


def _stack_text(envelope: Envelope, unit: Unit) -> str:
    longest = max(envelope.buckets, key=lambda bucket: bucket.longest)
    text = f"The longest iteration took {unit.spell(longest.longest)} (iteration {_who(longest.first, longest.last)})."
    if not envelope.exact:
        size = -(-envelope.iterations // len(envelope.buckets))
        text += f" Colours: median of each action over {count(size)} neighbouring iterations; line: the longest of them."
    if any(bucket.failed for bucket in envelope.buckets):
        text += " Triangles: failures."
    return text


def _colours(number: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(number)]


def named(name: str) -> Any:
    """Return a reference to rows that the page joins to the specification under this name."""
    import altair as alt

    return alt.NamedData(name=name)


def make_spec(chart: Any, height: int = HEIGHT) -> dict[str, Any]:
    """Return the specification without Altair's own theme: the page has one; validation is for tests."""
    import altair as alt

    with alt.theme.enable("none"):
        spec: dict[str, Any] = chart.properties(height=height).to_dict(validate=False)
    spec.pop("config", None)
    return spec


def short(value: float) -> float:
    """Return the number with five digits that matter: more can't be seen, and the file stays small."""
    return float(f"{value:.5g}")
