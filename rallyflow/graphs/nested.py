"""Lays out a drawing with its clusters: the inside of each first, then the whole around it as a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rallyflow.graphs.drawing import levels
from rallyflow.graphs.layered import Box, Layout, Point, lay_out
from rallyflow.graphs.model import Drawing
from rallyflow.graphs.width import wide

_PADDING = 18.0
_HEADER = 24.0
_CELL = 6.8  # the width of a character of a frame's label
_WIDE, _HIGH = 1200.0, 900.0

Item = tuple[str, str]
"""A ("node", id) or a ("cluster", id)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the nodes, the frames of clusters and the edges of a drawing are."""

    nodes: Mapping[str, Box]
    frames: Mapping[str, Box]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float
    sideways: bool  # edges lead from left to right, not downwards


def placed(drawing: Drawing, sizes: Mapping[str, tuple[float, float]]) -> Placed:
    """Return the layout, downwards or sideways, whichever fits better on a screen."""
    down = _Nesting(drawing, sizes, sideways=False).place()
    across = _Nesting(drawing, sizes, sideways=True).place()
    return max(down, across, key=lambda each: min(_WIDE / max(each.width, 1), _HIGH / max(each.height, 1), 1.0))


class _Nesting:
    def __init__(self, drawing: Drawing, sizes: Mapping[str, tuple[float, float]], *, sideways: bool) -> None:
        self.sizes = sizes
        self.sideways = sideways
        self.labels = {cluster.id: wide(cluster.label) * _CELL for cluster in drawing.clusters}
        own = {node.id: node.scope for node in drawing.nodes}
        parents = {cluster.id: cluster.parent for cluster in drawing.clusters}
        self.graphs = levels(own, parents, [(edge.source, edge.target) for edge in drawing.drawn])
        self.layouts: dict[str, Layout[Item]] = {}
        for scope in (*reversed(list(parents)), ""):  # inner ones first
            self.layouts[scope] = self._layout(scope)

    def _layout(self, scope: str) -> Layout[Item]:
        graph = self.graphs[scope]
        sizes = {item: self._size(item) for item in graph.nodes}
        if not self.sideways:
            return lay_out(sizes, list(graph.edges))
        return lay_out({item: (high, wide) for item, (wide, high) in sizes.items()}, list(graph.edges)).turned()

    def _size(self, item: Item) -> tuple[float, float]:
        kind, name = item
        if kind == "node":
            return self.sizes[name]
        inside = self.layouts[name]
        return max(inside.width, self.labels[name]) + 2 * _PADDING, inside.height + 2 * _PADDING + _HEADER

    def place(self) -> Placed:
        nodes: dict[str, Box] = {}
        frames: dict[str, Box] = {}
        routes: list[tuple[Point, ...]] = []
        todo = [("", 0.0, 0.0)]
        while todo:
            scope, x, y = todo.pop()
            layout = self.layouts[scope]
            for (kind, name), box in layout.boxes.items():
                here = box.moved(x, y)
                if kind == "node":
                    nodes[name] = here
                    continue
                frames[name] = here
                inside = self.layouts[name]
                todo.append((name, here.x - inside.width / 2, here.y + (_HEADER - inside.height) / 2))
            routes.extend(tuple((px + x, py + y) for px, py in points) for points in layout.routes.values())
        whole = self.layouts[""]
        return Placed(nodes, frames, tuple(routes), whole.width, whole.height, self.sideways)
