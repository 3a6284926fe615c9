"""A persistent priority queue of steps: a leftist heap, in which an older version shares all that did not change.

Push and pop take time in proportion to the logarithm of the size (Crane 1972; Okasaki 1998, chapter 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from rallyflow.model.ids import StepId


@dataclass(frozen=True, slots=True)
class Heap:
    """A heap that is not empty; None is the empty one. `position` is the step's place in the plan: lowest first."""

    position: float
    step: StepId
    rank: int = 1
    left: Heap | None = None
    right: Heap | None = None


def push(heap: Heap | None, position: float, step: StepId) -> Heap:
    """Return the heap with a step in it."""
    return _merge(heap, Heap(position, step)) or Heap(position, step)


def pop(heap: Heap) -> tuple[StepId, Heap | None]:
    """Return the step with the lowest position, and the heap without it."""
    return heap.step, _merge(heap.left, heap.right)


def _merge(one: Heap | None, other: Heap | None) -> Heap | None:
    if one is None or other is None:
        return one or other
    if other.position < one.position:
        one, other = other, one
    right = _merge(one.right, other)
    left = one.left
    if _rank(left) < _rank(right):
        left, right = right, left
    return Heap(one.position, one.step, _rank(right) + 1, left, right)


def _rank(heap: Heap | None) -> int:
    return heap.rank if heap is not None else 0
