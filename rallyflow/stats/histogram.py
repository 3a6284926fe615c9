"""Histograms of the durations of successful iterations, with bins that fit the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rallyflow.stats.cells import Cell
from rallyflow.stats.summary import Summary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_BINS = 48
WIDE = 30.0  # from this ratio of the largest to the median value on, equal bins would put nearly all into one


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between `edges` (seconds, one more than counts); `logarithmic`: the bins grow by a factor."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    logarithmic: bool


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins from `low` to `high` seconds."""

    low: float
    high: float
    count: int
    logarithmic: bool

    def edges(self) -> tuple[float, ...]:
        """Return the borders of the bins, the first `low` and the last `high`."""
        shares = [index / self.count for index in range(self.count + 1)]
        if self.logarithmic:
            return tuple(self.low * (self.high / self.low) ** share for share in shares)
        return tuple(self.low + (self.high - self.low) * share for share in shares)


def bins(summary: Summary) -> Bins | None:
    """Return bins by Rice's rule, at most 48; None without successes. Equal values get one narrow bin."""
    measured = summary.durations
    if measured is None:
        return None
    low, high = measured.min, measured.max
    if high - low <= 1e-9:
        half = max(low * 0.005, 5e-7)
        return Bins(max(low - half, 0.0), high + half, 1, logarithmic=False)
    count = max(1, min(MOST_BINS, math.ceil(2 * summary.ok ** (1 / 3))))
    logarithmic = low > 0 and high > WIDE * measured.median
    return Bins(low, high, count, logarithmic)


_COUNT = """
WITH bins AS (
  SELECT unnest($runs::VARCHAR[]) AS run, unnest($steps::VARCHAR[]) AS step, unnest($lows::DOUBLE[]) AS low,
         unnest($highs::DOUBLE[]) AS high, unnest($counts::INTEGER[]) AS bins,
         unnest($logs::BOOLEAN[]) AS is_log
)
SELECT run, step, greatest(0, least(bins - 1, floor(bins * if(
         is_log, ln(greatest(duration_ns / 1e9, low) / low) / ln(high / low),
         (duration_ns / 1e9 - low) / (high - low)))))::INTEGER AS bin, count(*)
FROM iterations JOIN bins USING (run, step) WHERE ok GROUP BY ALL"""


def histograms(connection: DuckDBPyConnection, summaries: dict[Cell, Summary]) -> dict[Cell, Histogram]:
    """Return the histogram of every cell with successes; `summaries` are those of the iterations."""
    chosen = {cell: made for cell, summary in summaries.items() if (made := bins(summary))}
    if not chosen:
        return {}
    counts = {cell: [0] * made.count for cell, made in chosen.items()}
    for run, step, index, count in connection.execute(_COUNT, _parameters(chosen)).fetchall():
        counts[Cell(run, step)][index] = count
    return {cell: Histogram(made.edges(), tuple(counts[cell]), made.logarithmic) for cell, made in chosen.items()}


def _parameters(chosen: dict[Cell, Bins]) -> dict[str, list[object]]:
    return {
        "runs": [cell.run for cell in chosen],
        "steps": [cell.step for cell in chosen],
        "lows": [made.low for made in chosen.values()],
        "highs": [made.high for made in chosen.values()],
        "counts": [made.count for made in chosen.values()],
        "logs": [made.logarithmic for made in chosen.values()],
    }
