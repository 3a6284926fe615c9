"""Load profile: how many iterations ran at the same time, over the time of the load."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from rallyflow.stats.cells import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Profile:
    """Parallel iterations in equal slices of `width` seconds, from the first start: exact mean, highest."""

    width: float
    mean: tuple[float, ...]
    highest: tuple[int, ...]


_EVENTS = """
CREATE OR REPLACE TEMP TABLE events AS
WITH spans AS (
  SELECT run, step, min(started_ns) AS first_ns,
         max(started_ns + duration_ns + idle_ns) - min(started_ns) AS length_ns
  FROM iterations GROUP BY run, step
)
SELECT run, step, length_ns, unnest([started_ns, started_ns + duration_ns + idle_ns]) - first_ns AS at_ns,
       unnest([1, -1]) AS change
FROM iterations JOIN spans USING (run, step)
WHERE length_ns > 0"""

_LEVELS = """
WITH levels AS (
  SELECT run, step, length_ns, at_ns, change,
         sum(change) OVER (PARTITION BY run, step ORDER BY at_ns, change ROWS UNBOUNDED PRECEDING) AS level
  FROM events
)
SELECT run, step, least(at_ns * $slices // length_ns, $slices - 1) AS slice, any_value(length_ns),
       sum(change), sum(change * (at_ns / 1e9)), max(level)
FROM levels GROUP BY run, step, slice ORDER BY run, step, slice"""


def profiles(connection: DuckDBPyConnection, slices: int) -> dict[Cell, Profile]:
    """Return the load profile of every cell whose iterations took any time, in `slices` slices."""
    connection.execute(_EVENTS)
    rows = connection.execute(_LEVELS, {"slices": slices}).fetchall()
    connection.execute("DROP TABLE events")
    found: dict[Cell, dict[int, _Slice]] = {}
    lengths: dict[Cell, float] = {}
    for run, step, index, length, change, moment, highest in rows:
        cell = Cell(run, step)
        lengths[cell] = length / 1e9
        found.setdefault(cell, {})[index] = _Slice(int(change), float(moment), int(highest))
    return {cell: _profile(lengths[cell] / slices, slices, changed) for cell, changed in found.items()}


@dataclass(frozen=True, slots=True)
class _Slice:
    """What changes in a slice: the sum of changes, of changes times their seconds, and the highest level."""

    change: int = 0
    moment: float = 0.0
    highest: int = 0


def _profile(width: float, slices: int, changed: dict[int, _Slice]) -> Profile:
    """Integrate: up to time T, iterations ran for sum(change * (T - at)) = T * changes - moments in all."""
    every = [changed.get(index, _Slice()) for index in range(slices)]
    levels = list(accumulate(slice_.change for slice_ in every))
    moments = list(accumulate(slice_.moment for slice_ in every))
    areas = [width * (i + 1) * levels[i] - moments[i] for i in range(slices)]
    means = (max(0.0, (area - before) / width) for area, before in zip(areas, [0.0, *areas], strict=False))
    highest = (max(slice_.highest, before) for slice_, before in zip(every, [0, *levels], strict=False))
    return Profile(width, tuple(means), tuple(highest))
