"""Draws a graph as SVG: one file that needs nothing else, readable in the dark, by eyes and by screen readers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from rallyflow.graphs.layered import Box, Point
from rallyflow.graphs.model import Cluster, Drawing, Kind, Node
from rallyflow.graphs.nested import Placed, placed
from rallyflow.graphs.width import plain, wide

_NAME, _SMALL = 13.0, 11.0
_PER_CHARACTER = 0.62  # of the size of a monospaced font: the widest of the usual ones has 0.61
_LONGEST = 40
_PAD = 14.0
_MARGIN = 20.0
_TITLE = 46.0

_STYLE = """
.rf-graph { --page: #fbfaf7; --card: #ffffff; --ink: #1c2126; --muted: #5a636c; --line: #9aa2a9; --frame: #f3f1eb;
  --good: #1f6e46; --good-back: #e2f0e7; --bad: #b3261e; --bad-back: #fae5e2; --warn: #8a5300; --warn-back: #fbeed3;
  --busy: #1d5c96; --busy-back: #dde9f4; --calm: #5a636c; --calm-back: #e9ecee; }
@media (prefers-color-scheme: dark) {
  .rf-graph { --page: #14171a; --card: #1f2428; --ink: #e9e7e2; --muted: #a7afb7; --line: #6d767f; --frame: #191d20;
    --good: #7fd0a2; --good-back: #173626; --bad: #ff9c92; --bad-back: #46201c; --warn: #f0c064; --warn-back: #3d2f12;
    --busy: #8bbfee; --busy-back: #17304a; --calm: #a7afb7; --calm-back: #2b3136; }
}
.rf-graph .page { fill: var(--page); }
.rf-graph text { fill: var(--ink);
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
.rf-graph .heading { font: 600 16px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.rf-graph .name { font-size: 13px; font-weight: 600; }
.rf-graph .small { font-size: 11px; fill: var(--muted); }
.rf-graph .box { fill: var(--card); stroke: var(--line); stroke-width: 1.2; }
.rf-graph .frame { fill: var(--frame); stroke: var(--line); stroke-width: 1; stroke-dasharray: 5 4; }
.rf-graph .edge { fill: none; stroke: var(--line); stroke-width: 1.5; }
.rf-graph .head { fill: var(--line); }
.rf-graph .good .box { fill: var(--good-back); stroke: var(--good); } .rf-graph .good .state { fill: var(--good); }
.rf-graph .bad .box { fill: var(--bad-back); stroke: var(--bad); } .rf-graph .bad .state { fill: var(--bad); }
.rf-graph .warn .box { fill: var(--warn-back); stroke: var(--warn); } .rf-graph .warn .state { fill: var(--warn); }
.rf-graph .busy .box { fill: var(--busy-back); stroke: var(--busy); } .rf-graph .busy .state { fill: var(--busy); }
.rf-graph .calm .box { fill: var(--calm-back); stroke: var(--calm); } .rf-graph .calm .state { fill: var(--calm); }
"""


def render(drawing: Drawing) -> str:
    """Return the drawing as the text of an SVG file."""
    sizes = {node.id: _size(node) for node in drawing.nodes}
    return "\n".join(_lines(drawing, placed(drawing, sizes))) + "\n"


def _lines(drawing: Drawing, where: Placed) -> Iterator[str]:
    heading = _heading(drawing)
    width = max(where.width, wide(heading) * 16 * 0.66) + 2 * _MARGIN
    height = where.height + 2 * _MARGIN + _TITLE
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rf-graph" role="img" aria-labelledby="rf-title rf-desc"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
    )
    yield f'<title id="rf-title">{_text(heading)}</title>'
    yield f'<desc id="rf-desc">{_text(" ".join(_description(drawing)))}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield (
        '<defs><marker id="rf-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6.5" markerHeight="6.5"'
        ' orient="auto"><path class="head" d="M0 .6 7.4 4 0 7.4z"/></marker></defs>'
    )
    yield f'<rect class="page" width="{width:.0f}" height="{height:.0f}" rx="8"/>'
    yield f'<text class="heading" x="{_MARGIN:.0f}" y="{_MARGIN + 14:.0f}">{_text(heading)}</text>'
    left = (width - where.width) / 2
    yield f'<g transform="translate({left:.1f} {_MARGIN + _TITLE:.0f})">'
    for cluster in drawing.clusters:
        yield _frame(cluster, where.frames[cluster.id])
    for route in where.routes:
        yield f'<path class="edge" marker-end="url(#rf-head)" d="{_curve(route, sideways=where.sideways)}"/>'
    for node in drawing.nodes:
        yield from _box(node, where.nodes[node.id])
    yield "</g>"
    yield "</svg>"


def _heading(drawing: Drawing) -> str:
    return f"{drawing.name}, run {drawing.run}" if drawing.run else drawing.name


def _description(drawing: Drawing) -> Iterator[str]:
    """Yield sentences that say what the picture shows."""
    needs: dict[str, list[str]] = {}
    for edge in drawing.drawn:
        needs.setdefault(edge.target, []).append(edge.source)
    yield f"{len(drawing.nodes)} nodes and {len(drawing.drawn)} edges."
    for node in drawing.nodes:
        cells = f", {node.cells} cells" if node.cells > 1 else ""
        waits = f" after {', '.join(needs[node.id])}" if node.id in needs else ""
        state = f": {node.state}" if node.states else ""
        yield f"{node.id} ({node.uses or node.kind}{cells}){waits}{state}."


def _texts(node: Node) -> list[tuple[str, str]]:
    """Return the lines of a node, each with its class."""
    name = _short(node.title)
    if node.kind is not Kind.STEP:
        return [("small", name)]
    state = [("small state", _short(node.state))] if node.states else []
    return [("name", name), ("small", _short(node.uses)), *state]


def _size(node: Node) -> tuple[float, float]:
    texts = _texts(node)
    width = max(wide(text) * (_NAME if kind == "name" else _SMALL) * _PER_CHARACTER for kind, text in texts)
    if node.kind is not Kind.STEP:
        return width + 2 * _PAD, 24.0
    return max(width + 2 * _PAD, 96.0), 18.0 + 16.0 * len(texts)


def _box(node: Node, box: Box) -> Iterator[str]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    round_ = box.height / 2 if node.kind is not Kind.STEP else 7
    yield f"<g class={quoteattr(node.tone or 'plain')}><title>{_text(_tip(node))}</title>"
    yield (
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        f' rx="{round_:.0f}"/>'
    )
    texts = _texts(node)
    for index, (kind, text) in enumerate(texts):
        y = box.y + (index - (len(texts) - 1) / 2) * 16 + 4
        size = _NAME if kind == "name" else _SMALL
        place = f'x="{box.x:.1f}" y="{y:.1f}" text-anchor="middle"{_fit(text, size)}'
        yield f'<text class="{kind}" {place}>{_text(text)}</text>'
    yield "</g>"


def _fit(text: str, size: float) -> str:
    """Return the attributes that squeeze a text into its box whose characters may be wider than they should be."""
    if text.isascii():
        return ""
    return f' textLength="{wide(text) * size * 0.6:.1f}" lengthAdjust="spacingAndGlyphs"'


def _tip(node: Node) -> str:
    condition = f"if {node.condition}" if node.condition else ""
    return "\n".join(text for text in (node.id, node.uses, node.state, condition) if text)


def _frame(cluster: Cluster, box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    return (
        f'<g><title>{_text(cluster.id)}</title><rect class="frame" x="{left:.1f}" y="{top:.1f}"'
        f' width="{box.width:.1f}" height="{box.height:.1f}" rx="10"/>'
        f'<text class="small" x="{left + 14:.1f}" y="{top + 20:.1f}">{_text(cluster.label)}</text></g>'
    )


def _curve(route: Sequence[Point], *, sideways: bool) -> str:
    """Return a path through points: straight through layers, curved between them, without a bend at either end."""
    parts = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for index, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(route)):
        if (x0, y0) == (x1, y1):  # the box fills its layer; an arrow needs the direction of what came before
            continue
        if index % 2 == 0:  # inside of a layer, where only this edge is
            parts.append(f"L{x1:.1f} {y1:.1f}")
        elif sideways:
            middle = (x0 + x1) / 2
            parts.append(f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        else:
            middle = (y0 + y1) / 2
            parts.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}")
    return "".join(parts)


def _short(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _text(text: str) -> str:
    """Return a text as XML may hold it."""
    return escape("".join(c for c in text if c.isprintable() or c == "\n"))
