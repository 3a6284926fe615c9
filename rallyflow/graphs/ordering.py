"""Puts the nodes of each layer in an order with few crossings: barycentres (Sugiyama, Tagawa and Toda 1981)."""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

N = TypeVar("N", bound=Hashable)

_SWEEPS = 16
_WORK = 100_000  # nodes times sweeps: a graph that nobody can look at at once gets fewer


def arrange(layers: Sequence[Sequence[N]], edges: Sequence[tuple[N, N]]) -> list[list[N]]:
    """Return the layers with their nodes in an order with few crossings. Edges lead from a layer to the next one."""
    before, after = _neighbours(edges)
    best = current = [list(layer) for layer in layers]
    fewest = crossings(best, after)
    for sweep in range(max(2, min(_SWEEPS, _WORK // sum(map(len, layers))))):
        if not fewest:
            break
        current = _swept(current, before if sweep % 2 == 0 else after, downwards=sweep % 2 == 0)
        current = _swapped(current, before, after)
        found = crossings(current, after)
        if found < fewest:
            best, fewest = current, found
    return best


def crossings(layers: Sequence[Sequence[N]], after: Mapping[N, Sequence[N]]) -> int:
    """Return how many pairs of edges cross."""
    total = 0
    for upper, lower in itertools.pairwise(layers):
        place = {node: index for index, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(place[end] for end in after.get(node, ()))
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _neighbours(edges: Sequence[tuple[N, N]]) -> tuple[dict[N, list[N]], dict[N, list[N]]]:
    before: dict[N, list[N]] = {}
    after: dict[N, list[N]] = {}
    for source, target in edges:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    return before, after


def _swept(layers: Sequence[list[N]], neighbours: Mapping[N, Sequence[N]], *, downwards: bool) -> list[list[N]]:
    """Sort each layer by the mean place of its nodes' neighbours in the layer that was sorted before."""
    result = [list(layer) for layer in layers]
    order = range(1, len(result)) if downwards else range(len(result) - 2, -1, -1)
    for index in order:
        place = {node: at for at, node in enumerate(result[index - 1 if downwards else index + 1])}
        own = {node: float(at) for at, node in enumerate(result[index])}
        result[index].sort(key=lambda node, place=place, own=own: _mean(node, neighbours, place, own))  # type: ignore[misc]
    return result


def _mean(node: N, neighbours: Mapping[N, Sequence[N]], place: Mapping[N, int], own: Mapping[N, float]) -> float:
    places = [place[each] for each in neighbours.get(node, ())]
    return sum(places) / len(places) if places else own[node]


def _swapped(
    layers: Sequence[list[N]], before: Mapping[N, Sequence[N]], after: Mapping[N, Sequence[N]]
) -> list[list[N]]:
    """Swap neighbours in a layer where that saves crossings."""
    result = [list(layer) for layer in layers]
    for index, layer in enumerate(result):
        above = {node: at for at, node in enumerate(result[index - 1])} if index else {}
        below = {node: at for at, node in enumerate(result[index + 1])} if index + 1 < len(result) else {}
        for at in range(len(layer) - 1):
            left, right = layer[at], layer[at + 1]
            now = _pair(left, right, before, above) + _pair(left, right, after, below)
            then = _pair(right, left, before, above) + _pair(right, left, after, below)
            if then < now:
                layer[at], layer[at + 1] = right, left
    return result


def _pair(left: N, right: N, neighbours: Mapping[N, Sequence[N]], place: Mapping[N, int]) -> int:
    """Return how many edges of two neighbours in a layer cross."""
    ends = sorted(place[each] for each in neighbours.get(right, ()))
    return sum(sum(1 for end in ends if end < place[each]) for each in neighbours.get(left, ()))
