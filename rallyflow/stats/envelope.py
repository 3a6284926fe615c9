"""Iterations in the order of their starts, thinned out for charts so that no spike is lost.

A bucket is a run of neighbouring iterations and keeps their shortest, median and longest duration: never an
average, which would hide the one request that took a minute. With few iterations, each has its own bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rallyflow.stats.cells import Action, Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Bucket:
    """Iterations `first` to `last`, from 1 in the order of starts; seconds over all, also the failed."""

    first: int
    last: int
    shortest: float
    middle: float
    longest: float
    failed: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """The buckets of a cell, and for each action at the top level its median in each bucket (0: missing).

    `outside` is the median time of each bucket's iterations that no action accounts for.
    """

    iterations: int
    buckets: tuple[Bucket, ...]
    actions: dict[Action, tuple[float, ...]] = field(default_factory=dict)
    outside: tuple[float, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every bucket is a single iteration."""
        return len(self.buckets) == self.iterations


_SEQUENCE = """
CREATE OR REPLACE TEMP TABLE sequence AS
WITH numbered AS (
  SELECT run, step, iteration, duration_ns, ok,
         row_number() OVER (PARTITION BY run, step ORDER BY started_ns, iteration) - 1 AS place,
         count(*) OVER (PARTITION BY run, step) AS total
  FROM iterations
)
SELECT *, (place * least($buckets, total) // total)::INTEGER AS bucket FROM numbered"""

_BUCKETS = """
SELECT run, step, min(place) + 1, max(place) + 1, min(duration_ns) / 1e9, median(duration_ns) / 1e9,
       max(duration_ns) / 1e9, count_if(NOT ok), any_value(total)
FROM sequence GROUP BY run, step, bucket ORDER BY run, step, bucket"""

_ACTIONS = """
SELECT run, step, name, occurrence, bucket, median(actions.duration_ns) / 1e9, min(position)
FROM named_actions AS actions JOIN sequence USING (run, step, iteration)
WHERE parent = -1 GROUP BY run, step, name, occurrence, bucket
ORDER BY min(min(position)) OVER (PARTITION BY run, step, name, occurrence), name, occurrence"""


def envelopes(connection: DuckDBPyConnection, buckets: int) -> dict[Cell, Envelope]:
    """Return the envelope of every cell with iterations, in at most `buckets` buckets."""
    connection.execute(_SEQUENCE, {"buckets": buckets})
    found: dict[Cell, list[Bucket]] = {}
    totals: dict[Cell, int] = {}
    for run, step, *values, total in connection.execute(_BUCKETS).fetchall():
        found.setdefault(Cell(run, step), []).append(Bucket(*values))
        totals[Cell(run, step)] = total
    medians = _medians(connection, {cell: len(rows) for cell, rows in found.items()})
    connection.execute("DROP TABLE sequence")
    return {cell: _envelope(totals[cell], rows, medians.get(cell, {})) for cell, rows in found.items()}


def _medians(connection: DuckDBPyConnection, sizes: dict[Cell, int]) -> dict[Cell, dict[Action, list[float]]]:
    found: dict[Cell, dict[Action, list[float]]] = {}
    for run, step, name, occurrence, bucket, middle, _position in connection.execute(_ACTIONS).fetchall():
        cell = Cell(run, step)
        series = found.setdefault(cell, {}).setdefault(Action(name, occurrence), [0.0] * sizes[cell])
        series[bucket] = middle
    return found


def _envelope(total: int, rows: list[Bucket], medians: dict[Action, list[float]]) -> Envelope:
    accounted = [sum(column) for column in zip(*medians.values(), strict=True)] if medians else [0.0] * len(rows)
    outside = tuple(max(0.0, bucket.middle - known) for bucket, known in zip(rows, accounted, strict=True))
    return Envelope(total, tuple(rows), {action: tuple(values) for action, values in medians.items()}, outside)
