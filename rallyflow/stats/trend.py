"""Does something grow while a benchmark runs? Theil-Sen's slope, and Mann and Kendall's test of it.

Both take batch medians, not single iterations: neighbours in time are alike, and the test would take that for
a trend. Sources: P. K. Sen, JASA 63 (1968); H. B. Mann, Econometrica 13 (1945); M. G. Kendall, Rank Correlation
Methods (1975).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

FEWEST = 8  # below this the normal approximation of the test means nothing
REAL = 0.01  # a p-value above this is no trend
VISIBLE = 0.1  # a change of less than this share of the median is not worth a sentence


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through batch medians: `slope` per unit of x, first and last value on it, the test's p-value."""

    slope: float
    first: float
    last: float
    p_value: float

    @property
    def notable(self) -> bool:
        """Whether the trend is real, and large enough to matter."""
        middle = abs(self.first + self.last) / 2
        return self.p_value < REAL and abs(self.last - self.first) > VISIBLE * middle


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Return the trend of (x, y) points in order of x; None for fewer than eight points."""
    if len(points) < FEWEST:
        return None
    slope = theil_sen(points)
    offset = median(y - slope * x for x, y in points)
    return Trend(
        slope,
        offset + slope * points[0][0],
        offset + slope * points[-1][0],
        mann_kendall([y for _, y in points]),
    )


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope over all pairs of points that differ in x; 0 when there is none."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return median(slopes) if slopes else 0.0


def mann_kendall(values: Sequence[float]) -> float:
    """Return the two-sided p-value of "no monotonic trend": normal approximation, corrected for ties."""
    count = len(values)
    score = sum((late > early) - (late < early) for early, late in combinations(values, 2))
    ties = sum(n * (n - 1) * (2 * n + 5) for n in Counter(values).values())
    variance = (count * (count - 1) * (2 * count + 5) - ties) / 18
    if variance <= 0 or score == 0:
        return 1.0
    deviation = (abs(score) - 1) / math.sqrt(variance)
    return math.erfc(deviation / math.sqrt(2))
