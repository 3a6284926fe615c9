"""How much one evaluation may do. Everything that takes time or memory is paid before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow.expressions.failures import ExpressionError

LIMIT = 300_000
"""What an evaluation may spend: about a microsecond and at most a hundred bytes for each."""

_CHARACTERS = 8  # that are made or read for the price of one item


class Budget:
    """What is left for an evaluation; ExpressionError when it is used up."""

    __slots__ = ("_left",)

    def __init__(self, limit: int = LIMIT) -> None:
        """`limit` counts nodes that are evaluated, items that are touched, and eighths of characters."""
        self._left = limit

    def spend(self, cost: int) -> None:
        """Pay for something that is about to be done."""
        self._left -= cost
        if self._left < 0:
            raise ExpressionError("the expression takes too long or makes too much", "give it less to work on")

    def text(self, length: int) -> None:
        """Pay for a text that is made or read."""
        self.spend(1 + length // _CHARACTERS)

    def weigh(self, value: Any) -> int:
        """Pay for going through a whole value, however deep; returns the price."""
        price = 0
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                cost = 1 + len(item) // _CHARACTERS
            elif isinstance(item, list | tuple):
                cost = 1 + len(item)
                waiting.extend(item if cost <= self._left else ())
            elif isinstance(item, Mapping):
                cost = 1 + 2 * len(item)
                waiting.extend([*item, *item.values()] if cost <= self._left else ())
            else:
                cost = 1
            price += cost
            self.spend(cost)
        return price
