"""Order statistics: which of n sorted values give a quantile, which two enclose it with a known confidence.

Nothing is assumed of the distribution, only that the values are independent.
Source: J.-Y. Le Boudec, Performance Evaluation of Computer and Communication Systems, 2010, theorem 2.1.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

LEVEL = 0.95


class Ranks(NamedTuple):
    """Two places in the sorted values, from 1."""

    low: int
    high: int


class Place(NamedTuple):
    """Where a quantile lies: between the values of rank `low` and `high`, `weight` (0 to 1) of the way."""

    low: int
    high: int
    weight: float

    def between(self, low: float, high: float) -> float:
        """Return the quantile from the two values."""
        return low + (high - low) * self.weight


def place(count: int, share: float) -> Place:
    """Return where the quantile `share` (0 to 1) of `count` >= 1 values is, interpolated linearly.

    This is definition 7 of Hyndman and Fan (1996), which DuckDB, numpy and spreadsheets use.
    """
    exact = (count - 1) * share
    low = math.floor(exact)
    return Place(low + 1, min(low + 2, count), exact - low)


@lru_cache(maxsize=4096)
def confidence_ranks(count: int, share: float, level: float = LEVEL) -> Ranks | None:
    """Return the ranks of the two values that enclose the quantile `share` with at least `level` confidence.

    Each side errs with at most half of the rest. None when `count` values are too few to say: the median
    needs 6, p90 36, p95 72 and p99 368 values at 95 %.
    """
    tail = (1 - level) / 2
    if count < 1 or not 0 < share < 1:
        return None
    if share**count > tail or (1 - share) ** count > tail:
        return None
    start, masses = _binomial(count, share)
    low = high = 0
    below = 0.0  # P(B < value)
    for value, mass in enumerate(masses, start):
        if below <= tail:
            low = value
        if below >= 1 - tail:
            high = value
            break
        below += mass
    else:
        high = min(start + len(masses), count)
    return Ranks(low, high) if low >= 1 else None


def _binomial(count: int, share: float) -> tuple[int, list[float]]:
    """Return the first value and the probabilities of all values that matter of Binomial(count, share)."""
    mode = min(count, int((count + 1) * share))
    odds = share / (1 - share)
    peak = math.exp(
        math.lgamma(count + 1)
        - math.lgamma(mode + 1)
        - math.lgamma(count - mode + 1)
        + mode * math.log(share)
        + (count - mode) * math.log1p(-share)
    )
    below: list[float] = []
    mass, value = peak, mode
    while value > 0 and mass > 1e-20:
        mass *= value / ((count - value + 1) * odds)
        value -= 1
        below.append(mass)
    above = [peak]
    mass, value = peak, mode
    while value < count and mass > 1e-20:
        mass *= (count - value) * odds / (value + 1)
        value += 1
        above.append(mass)
    return mode - len(below), [*reversed(below), *above]
