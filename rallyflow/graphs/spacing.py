"""Gives the nodes of ordered layers their places: near their neighbours, never closer to each other than allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

N = TypeVar("N")

_SWEEPS = 40
_WORK = 250_000  # nodes times sweeps: a graph that nobody can look at at once gets fewer


def spread(wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the places nearest to the wanted ones (weighted least squares) with at least `gaps` between them.

    Isotonic regression by pooling adjacent violators, after taking the gaps off.
    """
    offsets = list(accumulate(gaps, initial=0.0))
    blocks: list[tuple[float, float, int]] = []  # mean, weight, count
    for place, offset, weight in zip(wanted, offsets, weights, strict=True):
        blocks.append((place - offset, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (low, first, few), (high, second, more) = blocks[-2:]
            total = first + second
            blocks[-2:] = [((low * first + high * second) / total, total, few + more)]
    fitted = [mean for mean, _, count in blocks for _ in range(count)]
    return [place + offset for place, offset in zip(fitted, offsets, strict=True)]


def place(
    layers: Sequence[Sequence[N]],
    links: Mapping[N, Sequence[tuple[N, float]]],
    gap: Callable[[N, N], float],
    weight: Callable[[N], float],
) -> dict[N, float]:
    """Return the place of every node along its layer.

    `links` are the neighbours of a node in both directions, with how much each edge wants to be straight; `gap` is
    how far apart the middles of two nodes in a layer must be; `weight` how much a node resists being pushed.
    """
    gaps = [[gap(left, right) for left, right in pairwise(layer)] for layer in layers]
    places: dict[N, float] = {}
    for layer, between in zip(layers, gaps, strict=True):
        start = -sum(between) / 2
        places.update(zip(layer, accumulate(between, initial=start), strict=False))
    for sweep in range(max(4, min(_SWEEPS, _WORK // max(len(places), 1)))):
        order = range(len(layers)) if sweep % 2 == 0 else range(len(layers) - 1, -1, -1)
        for index in order:
            layer = layers[index]
            wanted = [_wanted(node, links, places) for node in layer]
            places.update(zip(layer, spread(wanted, gaps[index], [weight(node) for node in layer]), strict=True))
    return places


def _wanted(node: N, links: Mapping[N, Sequence[tuple[N, float]]], places: Mapping[N, float]) -> float:
    found = links.get(node, ())
    total = sum(pull for _, pull in found)
    return sum(places[other] * pull for other, pull in found) / total if total else places[node]
