"""The charts as Vega-Lite specifications, written with Altair, without any data.

A specification depends only on labels and units, so that cells of a matrix share one: Altair takes 20 ms for
each. Rows are referred to by a name; the page joins them. Colours are names of the page's style, so that
charts follow dark mode and print. Widths are the page's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

PALETTE = [f"var(--c{index})" for index in range(1, 8)]
OUTSIDE = "outside of actions"
HEIGHT = 220

Spec = Mapping[str, Any]


@lru_cache(maxsize=256)
def stack(labels: tuple[str, ...], unit: str, *, exact: bool, failed: bool) -> Spec:
    """Return areas on top of each other from `rows` (x, y, action, o), with the tooltips of `buckets`.

    Unless the buckets are exact, a line over each shows its longest iteration; `failures` (x, y) are marked.
    """
    import altair as alt

    x = alt.X(
        "x:Q",
        title="iteration, in the order of starts",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(tickMinStep=1, format="d"),
    )
    colour = alt.Color(
        "action:N",
        title=None,
        sort=list(labels),
        scale=alt.Scale(domain=list(labels), range=_colours(labels)),
    )
    duration = alt.Y("y:Q", stack="zero", title=f"duration ({unit})")
    layers = [named("rows").mark_area(interpolate="step-after").encode(x=x, y=duration, color=colour, order="o:Q")]
    if not exact:
        outline = named("buckets").mark_rule(color="var(--ink)", strokeWidth=1, opacity=0.75)
        layers.append(outline.encode(x="a:Q", x2="b:Q", y="high:Q"))
    if failed:
        mark = {"shape": "triangle-down", "filled": True, "size": 45, "color": "var(--bad)", "opacity": 1}
        layers.append(named("failures").mark_point(yOffset=-5, **mark).encode(x="x:Q", y="y:Q"))
    return make_spec([*layers, _hover(unit)])


@lru_cache(maxsize=2)
def profile(*, seams: bool) -> Spec:
    """Return parallel iterations over time from `rows` (x, mean, highest), with rules at `seams` (x)."""
    import altair as alt

    x = alt.X("x:Q", title="time since the first start (s)", scale=alt.Scale(nice=False))
    axis = {"title": "iterations at a time", "axis": alt.Axis(tickMinStep=1)}
    base = named("rows").encode(x=x)
    area = base.mark_area(interpolate="step-after", color="var(--c1)", opacity=0.35)
    line = base.mark_line(interpolate="step-after", color="var(--c1)", strokeWidth=1.2)
    layers = [area.encode(y=alt.Y("mean:Q", **axis)), line.encode(y=alt.Y("highest:Q", **axis))]
    if seams:
        rule = named("seams").mark_rule(color="var(--warn)", strokeDash=[4, 3], strokeWidth=1.5)
        layers.append(rule.encode(x="x:Q"))
    return make_spec(layers)


@lru_cache(maxsize=16)
def histogram(unit: str, *, logarithmic: bool) -> Spec:
    """Return bars from `rows` (low, high, count), and lines with names at `marks` (x, name)."""
    import altair as alt

    scale = alt.Scale(type="log", nice=False) if logarithmic else alt.Scale(zero=False, nice=False)
    bars = (
        named("rows")
        .mark_bar(color="var(--c1)", opacity=0.75, binSpacing=1)
        .encode(
            x=alt.X("low:Q", title=f"duration ({unit})", scale=scale, bin="binned"),
            x2="high:Q",
            y=alt.Y("count:Q", title="iterations", axis=alt.Axis(tickMinStep=1)),
            tooltip=_tooltip({"low": f"from ({unit})", "high": f"to ({unit})", "count": "iterations"}),
        )
    )
    marks = named("marks").encode(x="x:Q")
    names = marks.mark_text(align="left", dx=3, dy=6, baseline="top", color="var(--ink)")
    rules = marks.mark_rule(color="var(--ink)", strokeDash=[3, 2])
    return make_spec([bars, rules, names.encode(y=alt.value(0), text="name:N")])


@lru_cache(maxsize=256)
def ranges(labels: tuple[str, ...], unit: str) -> Spec:
    """Return a line, a bar and a tick for each action, from `rows` (action, min, median, p95, max)."""
    import altair as alt

    axis = alt.Axis(labelLimit=180, ticks=False, domain=False)
    base = named("rows").encode(y=alt.Y("action:N", sort=list(labels), title=None, axis=axis))
    whole = base.mark_rule(color="var(--muted)", strokeWidth=1)
    upper = base.mark_bar(color="var(--c1)", height=9, opacity=0.7)
    middle = base.mark_tick(color="var(--ink)", thickness=2, height=15)
    layers = [
        whole.encode(x=alt.X("min:Q", title=f"duration ({unit})"), x2="max:Q"),
        upper.encode(x="median:Q", x2="p95:Q"),
        middle.encode(x="median:Q"),
    ]
    return make_spec(layers, height=26 * len(labels) + 10)


def named(name: str) -> Any:
    """Return a chart over rows that the page joins to the specification under this name."""
    import altair as alt

    return alt.Chart(alt.NamedData(name=name))


def make_spec(layers: Sequence[Any], height: int = HEIGHT) -> dict[str, Any]:
    """Return the specification without Altair's own theme: the page has one; validation is for tests."""
    import altair as alt

    with alt.theme.enable("none"):
        spec: dict[str, Any] = alt.layer(*layers).properties(height=height).to_dict(validate=False)
    spec.pop("config", None)
    return spec


def _hover(unit: str) -> Any:
    """Return invisible bands over `buckets` that carry their tooltips."""
    titles = {
        "who": "iteration",
        "low": f"shortest ({unit})",
        "mid": f"median ({unit})",
        "high": f"longest ({unit})",
    }
    return (
        named("buckets")
        .mark_rect(opacity=0)
        .encode(x="a:Q", x2="b:Q", tooltip=_tooltip({**titles, "failed": "failed"}))
    )


def _tooltip(titles: Mapping[str, str]) -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{name}:{'N' if name == 'who' else 'Q'}", title=title) for name, title in titles.items()]


def _colours(labels: Sequence[str]) -> list[str]:
    return ["var(--rest)" if label == OUTSIDE else PALETTE[i % len(PALETTE)] for i, label in enumerate(labels)]
