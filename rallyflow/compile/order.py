"""The order of steps: each after those that it needs, as in the file where there is a choice.

The standard library does it: importing networkx for this alone would take a fifth of the time of `validate`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

__all__ = ["CycleError", "in_order"]


def in_order(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names in topological order; CycleError, with a cycle as its second argument, when there is none."""
    position = {name: index for index, name in enumerate(needs)}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ready: list[int] = []
    names = list(needs)
    result: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, position[name])
        name = names[heapq.heappop(ready)]
        result.append(name)
        sorter.done(name)
    return result
