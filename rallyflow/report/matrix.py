"""Charts over the cells of a matrix: a figure along one axis, with a line for each value of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from rallyflow.errors import InputsInvalid
from rallyflow.report.choices import Line
from rallyflow.report.content import Benchmark
from rallyflow.report.figures import Columns, Figure, short
from rallyflow.report.specs import PALETTE, make_spec, named
from rallyflow.report.words import SECONDS, Unit, percent, plain, spell, unit_for
from rallyflow.stats.summary import Summary

MOST_LINES = 12
MOST_TICKS = 12
BAND_LINES = 4  # with more lines, bands would only cover each other
_NAMES = {
    "mean": "mean duration",
    "throughput": "throughput",
    "failure_rate": "failed iterations",
    "max": "longest duration",
}


def axes_of(cells: Sequence[Benchmark]) -> list[str]:
    """Return the axes in the order of the file."""
    return list(dict.fromkeys(name for cell in cells for name in cell.record.matrix))


def defaults(cells: Sequence[Benchmark]) -> list[Line]:
    """Return the charts that are shown when nobody chose any; none without a numeric axis."""
    x = _numeric_axis(cells)
    return [Line(x=x, y="mean"), Line(x=x, y="throughput")] if x else []


def chart(cells: Sequence[Benchmark], choice: Line) -> Figure | None:
    """Return the chart of a matrix; None when no cell has the figure that is asked for.

    Raises InputsInvalid when an axis or an action is not there.
    """
    axes = axes_of(cells)
    x = choice.x or _numeric_axis(cells) or (axes[0] if axes else "")
    for axis in (x, choice.by):
        if axis is not None and axis not in axes:
            raise _unknown("matrix axis", axis, axes)
    points = [(cell, value) for cell in cells if (value := _value(cell, choice)) is not None]
    if not points:
        _check_action(cells, choice.action)
        return None
    return _draw(points, choice, x, [axis for axis in _ordered(axes, choice.by) if axis != x])


def _numeric_axis(cells: Sequence[Benchmark]) -> str | None:
    """Return the numeric axis with the most values."""
    sizes = {}
    for axis in axes_of(cells):
        values = {
            cell.record.matrix.get(axis) for cell in cells if not isinstance(cell.record.matrix.get(axis), list | dict)
        }
        if len(values) > 1 and all(_is_number(value) for value in values):
            sizes[axis] = len(values)
    return max(sizes, key=lambda axis: sizes[axis]) if sizes else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(axes: Sequence[str], first: str | None) -> list[str]:
    return sorted(axes, key=lambda axis: axis != first)


def _summary(cell: Benchmark, action: str | None) -> Summary | None:
    if action is None:
        return cell.summary
    return next((row.summary for row in cell.actions if row.action.label == action), None)


def _value(cell: Benchmark, choice: Line) -> float | None:
    summary = _summary(cell, choice.action)
    if summary is None or not summary.count:
        return None
    if choice.y == "failure_rate":
        return summary.failed / summary.count
    if choice.y == "throughput":
        return summary.ok / cell.seconds if cell.seconds > 0 else None
    return getattr(summary.durations, choice.y) if summary.durations else None


def _draw(points: Sequence[tuple[Benchmark, float]], choice: Line, x: str, others: Sequence[str]) -> Figure:
    import altair as alt

    unit, y_title = _y_axis([value for _, value in points], choice.y)
    lines = list(dict.fromkeys(_line(cell, others) for cell, _ in points))[:MOST_LINES]
    points = [(cell, value) for cell, value in points if _line(cell, others) in lines]
    values = {cell.record.matrix.get(x) for cell, _ in points}
    numeric = all(_is_number(value) for value in values)
    ticks = sorted(value for value in values if value is not None) if numeric else []
    base = named("rows").encode(x=_x_axis(x, ticks), color=_colour(lines))
    y = alt.Y("y:Q", title=y_title, scale=alt.Scale(zero=True))
    tooltip = [
        alt.Tooltip("x:N", title=x),
        alt.Tooltip("y:Q", title=y_title),
        alt.Tooltip("line:N", title="with"),
    ]
    layers = [base.mark_point(filled=True, size=45, opacity=1).encode(y=y, tooltip=tooltip)]
    if numeric:
        layers.insert(0, base.mark_line(strokeWidth=2).encode(y=y))
    if numeric and _has_band(choice, lines):
        layers.insert(0, base.mark_area(opacity=0.13).encode(y=alt.Y("y:Q", title=y_title), y2="top:Q"))
    title = f"{_subject(choice)} by {x}"
    spec = make_spec(layers, height=280)
    return Figure(
        title, _text(points, choice, x, others, lines), spec, {"rows": _rows(points, choice, x, others, unit)}
    )


def _rows(
    points: Sequence[tuple[Benchmark, float]], choice: Line, x: str, others: Sequence[str], unit: Unit
) -> Columns:
    tops = [(_summary(cell, choice.action) or cell.summary).durations for cell, _ in points]
    return {
        "x": [_axis_value(cell.record.matrix.get(x)) for cell, _ in points],
        "y": [short(value * unit.factor) for _, value in points],
        "top": [short(top.p95 * unit.factor) if top else None for top in tops],
        "line": [_line(cell, others) for cell, _ in points],
    }


def _axis_value(value: object) -> Any:
    return value if _is_number(value) else plain(value)


def _x_axis(x: str, ticks: Sequence[float]) -> Any:
    """Return a numeric axis with a tick at each value that was tried; one of names when there are none."""
    import altair as alt

    if ticks:
        axis = alt.Axis(values=list(ticks), format="~g") if len(ticks) <= MOST_TICKS else alt.Axis()
        return alt.X("x:Q", title=x, scale=alt.Scale(zero=False, nice=False, padding=12), axis=axis)
    return alt.X("x:N", title=x, sort=None, axis=alt.Axis(labelAngle=0))


def _y_axis(values: Sequence[float], measure: str) -> tuple[Unit, str]:
    if measure == "throughput":
        return Unit("", 1.0), "iterations per second"
    if measure == "failure_rate":
        return Unit("%", 100.0), "failed (%)"
    unit = unit_for(sorted(values)[len(values) // 2]) if values else SECONDS
    return unit, f"{_NAMES.get(measure, measure)} ({unit.name})"


def _colour(lines: Sequence[str]) -> Any:
    import altair as alt

    colours = [PALETTE[index % len(PALETTE)] for index in range(len(lines))]
    legend = alt.Legend(title=None, symbolOpacity=1) if len(lines) > 1 else None
    return alt.Color("line:N", scale=alt.Scale(domain=list(lines), range=colours), sort=list(lines), legend=legend)


def _line(cell: Benchmark, others: Sequence[str]) -> str:
    """Return the name of the line that a cell is on."""
    matrix: Mapping[str, Any] = cell.record.matrix
    return ", ".join(f"{axis} = {plain(matrix.get(axis))}" for axis in others)


def _has_band(choice: Line, lines: Sequence[str]) -> bool:
    return choice.y == "mean" and len(lines) <= BAND_LINES


def _subject(choice: Line) -> str:
    name = _NAMES.get(choice.y, f"{choice.y} of the duration")
    return f"{name[0].upper()}{name[1:]}{f' of {choice.action}' if choice.action else ''}"


def _text(
    points: Sequence[tuple[Benchmark, float]],
    choice: Line,
    x: str,
    others: Sequence[str],
    lines: Sequence[str],
) -> str:
    low, high = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    least, most = (f"{_spell(value, choice.y)} ({_at(cell, x, others)})" for cell, value in (low, high))
    text = f"Lowest {least}, highest {most}."
    if _has_band(choice, lines):
        text += " The band reaches from the mean to p95."
    return text


def _at(cell: Benchmark, x: str, others: Sequence[str]) -> str:
    line = _line(cell, others)
    return f"{x} = {plain(cell.record.matrix.get(x))}{', ' if line else ''}{line}"


def _spell(value: float, measure: str) -> str:
    if measure == "throughput":
        return f"{value:.3g} per second"
    return percent(value) if measure == "failure_rate" else spell(value)


def _check_action(cells: Sequence[Benchmark], action: str | None) -> None:
    labels = sorted({row.action.label for cell in cells for row in cell.actions})
    if action is not None and labels and action not in labels:
        raise _unknown("action", action, labels)


def _unknown(what: str, name: str, there: Sequence[str]) -> InputsInvalid:
    close = get_close_matches(name, there, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(there) or 'none'}"
    return InputsInvalid(f"charts: there is no {what} {name!r}", hint=hint)
