"""Lays a graph out in layers: each node below all that it waits for, edges as straight as they can be.

Sugiyama's method: longest-path layers, dummy nodes where an edge passes a layer, barycentre ordering, places by
least squares. The layout is of points and sizes alone; it knows nothing of what they mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import networkx as nx

from rallyflow.graphs.ordering import arrange
from rallyflow.graphs.spacing import place

N = TypeVar("N", bound=Hashable)

NODE_GAP = 26.0
EDGE_GAP = 18.0
LAYER_GAP = 40.0
_FAR = 12


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle and its size."""

    x: float
    y: float
    width: float
    height: float

    def turned(self) -> Box:
        """Return the box with its axes swapped."""
        return Box(self.y, self.x, self.height, self.width)

    def moved(self, x: float, y: float) -> Box:
        """Return the box at another place."""
        return Box(self.x + x, self.y + y, self.width, self.height)


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout(Generic[N]):
    """Where everything is, from (0, 0) to (width, height).

    A route begins and ends at the border of a box. Its first, third, fifth... parts are inside of a layer, and
    those between lead from one layer to the next.
    """

    boxes: Mapping[N, Box]
    routes: Mapping[tuple[N, N], Sequence[Point]]
    width: float
    height: float

    def turned(self) -> Layout[N]:
        """Return the layout with its axes swapped: from left to right instead of downwards."""
        routes = {edge: [(y, x) for x, y in points] for edge, points in self.routes.items()}
        return Layout({node: box.turned() for node, box in self.boxes.items()}, routes, self.height, self.width)


_Item = tuple[str, object, int]
"""A node ("node", N, 0), or where an edge passes a layer ("edge", (N, N), layer)."""


def lay_out(sizes: Mapping[N, tuple[float, float]], edges: Sequence[tuple[N, N]]) -> Layout[N]:
    """Return a layout of an acyclic graph from top to bottom; `sizes` are widths and heights."""
    if not sizes:
        return Layout({}, {}, 0, 0)
    layer_of = _layers(sizes, edges)
    chains = {edge: _chain(edge, layer_of) for edge in edges}
    layers = _fill(sizes, layer_of, chains)
    steps = [(a, b) for chain in chains.values() for a, b in pairwise(chain)]
    layers = arrange(layers, steps)
    across = place(
        layers,
        _links(chains.values()),
        lambda left, right: _gap(left, right, sizes),
        lambda item: 1.0 if item[0] == "node" else 3.0,
    )
    return _assemble(sizes, layers, across, chains)


def _layers(sizes: Mapping[N, tuple[float, float]], edges: Sequence[tuple[N, N]]) -> dict[N, int]:
    """Return each node's layer: the longest way to it; what waits for nothing stands right before what needs it."""
    graph: nx.DiGraph[N] = nx.DiGraph()
    graph.add_nodes_from(sizes)
    graph.add_edges_from(edges)
    found = {node: index for index, layer in enumerate(nx.topological_generations(graph)) for node in layer}
    for node in sizes:
        if not graph.in_degree(node) and graph.out_degree(node):
            found[node] = min(found[after] for after in graph.successors(node)) - 1
    return found


def _chain(edge: tuple[N, N], layer_of: Mapping[N, int]) -> list[_Item]:
    source, target = edge
    between = range(layer_of[source] + 1, layer_of[target])
    return [("node", source, 0), *(("edge", edge, layer) for layer in between), ("node", target, 0)]


def _fill(
    sizes: Mapping[N, tuple[float, float]],
    layer_of: Mapping[N, int],
    chains: Mapping[tuple[N, N], Sequence[_Item]],
) -> list[list[_Item]]:
    """Return the items of each layer, in the order in which a walk from the top comes to them."""
    layers: list[list[_Item]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in sizes:
        layers[layer_of[node]].append(("node", node, 0))
    for chain in chains.values():
        for item in chain[1:-1]:
            layers[item[2]].append(item)
    return layers


def _links(chains: Collection[Sequence[_Item]]) -> dict[_Item, list[tuple[_Item, float]]]:
    """Return what pulls at each item: its neighbours, and all other places where its own edge passes a layer."""
    follows = Counter(chain[0] for chain in chains)
    waits = Counter(chain[-1] for chain in chains)
    links: dict[_Item, list[tuple[_Item, float]]] = {}
    for chain in chains:
        inner = chain[1:-1]
        alone = follows[chain[0]] == waits[chain[-1]] == 1  # one leads to the other, and nowhere else
        pulls = [(upper, lower, 4.0 if alone else 1.0) for upper, lower in pairwise(chain)]
        for at, upper in enumerate(inner):
            pulls += [(upper, lower, 8.0) for lower in inner[at + 1 : at + _FAR]]
        for upper, lower, pull in pulls:
            links.setdefault(upper, []).append((lower, pull))
            links.setdefault(lower, []).append((upper, pull))
    return links


def _gap(left: _Item, right: _Item, sizes: Mapping[N, tuple[float, float]]) -> float:
    widths = [sizes[item[1]][0] / 2 if item[0] == "node" else 0.0 for item in (left, right)]  # type: ignore[index]
    return sum(widths) + (NODE_GAP if left[0] == right[0] == "node" else EDGE_GAP)


def _assemble(
    sizes: Mapping[N, tuple[float, float]],
    layers: Sequence[Sequence[_Item]],
    across: Mapping[_Item, float],
    chains: Mapping[tuple[N, N], Sequence[_Item]],
) -> Layout[N]:
    left = min(across[item] - _half_width(item, sizes) for layer in layers for item in layer)
    right = max(across[item] + _half_width(item, sizes) for layer in layers for item in layer)
    tops, heights = _rows(layers, sizes)
    boxes: dict[N, Box] = {}
    for layer, top, height in zip(layers, tops, heights, strict=True):
        for item in layer:
            if item[0] == "node":
                node: N = item[1]  # type: ignore[assignment]
                boxes[node] = Box(across[item] - left, top + height / 2, *sizes[node])
    spans = list(zip(tops, heights, strict=True))
    routes = {edge: _route(edge, chain, boxes, across, left, spans) for edge, chain in chains.items()}
    return Layout(boxes, routes, right - left, tops[-1] + heights[-1])


def _half_width(item: _Item, sizes: Mapping[N, tuple[float, float]]) -> float:
    return sizes[item[1]][0] / 2 if item[0] == "node" else 0.0  # type: ignore[index]


def _rows(layers: Sequence[Sequence[_Item]], sizes: Mapping[N, tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the top and height of each layer; wide layers get more room below them, so that edges are not flat."""
    tops, heights, top = [], [], 0.0
    for layer in layers:
        height = max((sizes[item[1]][1] for item in layer if item[0] == "node"), default=0.0)  # type: ignore[index]
        tops.append(top)
        heights.append(height)
        top += height + LAYER_GAP + min(len(layer), 12) * 1.5
    return tops, heights


def _route(
    edge: tuple[N, N],
    chain: Sequence[_Item],
    boxes: Mapping[N, Box],
    across: Mapping[_Item, float],
    left: float,
    spans: Sequence[tuple[float, float]],
) -> list[Point]:
    source, target = boxes[edge[0]], boxes[edge[1]]
    points = [(source.x, source.y + source.height / 2), (source.x, _end(spans[_layer_of(source, spans)]))]
    for item in chain[1:-1]:
        span = spans[item[2]]
        points += [(across[item] - left, span[0]), (across[item] - left, _end(span))]
    return [*points, (target.x, spans[_layer_of(target, spans)][0]), (target.x, target.y - target.height / 2)]


def _end(span: tuple[float, float]) -> float:
    return span[0] + span[1]


def _layer_of(box: Box, spans: Sequence[tuple[float, float]]) -> int:
    return next(index for index, span in enumerate(spans) if box.y <= _end(span))
