"""Exact summaries of durations: count, success, percentiles with confidence intervals.

Durations are of what succeeded: a request that is refused at once must not make a cloud look fast. Counts and
the success share are of everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rallyflow.stats.cells import Action, Cell
from rallyflow.stats.intervals import Place, Ranks, confidence_ranks, place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Interval(NamedTuple):
    """A 95 % confidence interval, in seconds."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations in seconds. An interval is None when there are too few values to estimate it."""

    min: float
    median: float
    p90: float
    p95: float
    p99: float
    max: float
    mean: float
    median_interval: Interval | None
    p95_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How often something was done, how often with success, how long the successes took (None without)."""

    count: int
    ok: int
    durations: Durations | None

    @property
    def failed(self) -> int:
        """How many ended with an error."""
        return self.count - self.ok

    @property
    def success(self) -> float | None:
        """The share that succeeded, 0 to 1; None when nothing was done."""
        return self.ok / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class ActionSummary:
    """A row of a cell's table. `parent` is the position of the enclosing action, -1 at the top."""

    action: Action
    position: int
    parent: int
    summary: Summary


_ITERATIONS = """
SELECT run, step, '' AS name, 1 AS occurrence, 0 AS position, -1 AS parent, ok, duration_ns FROM iterations"""
_ACTIONS = "SELECT run, step, name, occurrence, position, parent, ok, duration_ns FROM named_actions"


def iterations(connection: DuckDBPyConnection) -> dict[Cell, Summary]:
    """Return the summary of the whole iterations (without idle time) of every cell that has any."""
    return {cell: row.summary for cell, row in _summaries(connection, _ITERATIONS)}


def actions(connection: DuckDBPyConnection) -> dict[Cell, list[ActionSummary]]:
    """Return a summary for each action of every cell, in the order in which an iteration does them."""
    found: dict[Cell, list[ActionSummary]] = {}
    for cell, row in _summaries(connection, _ACTIONS):
        found.setdefault(cell, []).append(row)
    return found


class _Plan(NamedTuple):
    """Which of the sorted values a summary needs."""

    quantiles: tuple[Place, ...]
    intervals: tuple[Ranks | None, ...]

    def ranks(self, count: int) -> list[int]:
        """Return all ranks in the order in which `_durations` reads them."""
        places = [rank for spot in self.quantiles for rank in (spot.low, spot.high)]
        return [1, count, *places, *(rank for pair in self.intervals if pair for rank in pair)]


def _plan(count: int) -> _Plan:
    return _Plan(
        tuple(place(count, share) for share in (0.5, 0.9, 0.95, 0.99)),
        tuple(confidence_ranks(count, share) for share in (0.5, 0.95)),
    )


def _durations(plan: _Plan, mean: float, picked: Sequence[int]) -> Durations:
    values = iter([nanoseconds / 1e9 for nanoseconds in picked])
    smallest, largest = next(values), next(values)
    middle, p90, p95, p99 = (spot.between(next(values), next(values)) for spot in plan.quantiles)
    around_middle, around_p95 = (Interval(next(values), next(values)) if pair else None for pair in plan.intervals)
    return Durations(smallest, middle, p90, p95, p99, largest, mean / 1e9, around_middle, around_p95)


def summarise(nanoseconds: Sequence[int]) -> Durations | None:
    """Return the summary of some durations, by the same rules as those from tables; None for no values."""
    if not nanoseconds:
        return None
    ordered = sorted(nanoseconds)
    plan = _plan(len(ordered))
    picked = [ordered[rank - 1] for rank in plan.ranks(len(ordered))]
    return _durations(plan, sum(ordered) / len(ordered), picked)


_SORT = """
CREATE OR REPLACE TEMP TABLE sorted AS
SELECT row_number() OVER () AS id, * FROM (
  SELECT run, step, name, occurrence, min(position) AS position, arg_min(parent, position) AS parent,
         count(*) AS done, count_if(ok) AS ok, avg(duration_ns) FILTER (ok) AS mean,
         list_sort(coalesce(list(duration_ns) FILTER (ok), [])) AS durations
  FROM (SOURCE) GROUP BY run, step, name, occurrence
)"""
_PICK = """
SELECT id, list_transform(ranks, lambda rank: durations[rank])
FROM sorted JOIN (SELECT unnest($ids::BIGINT[]) AS id, unnest($ranks::BIGINT[][]) AS ranks) USING (id)"""


def _summaries(connection: DuckDBPyConnection, source: str) -> Iterator[tuple[Cell, ActionSummary]]:
    connection.execute(_SORT.replace("SOURCE", source))
    groups = connection.execute("SELECT * EXCLUDE (durations) FROM sorted ORDER BY run, step, position").fetchall()
    plans = {row[0]: _plan(row[8]) for row in groups if row[8]}
    ranks = [plan.ranks(row[8]) for row in groups if (plan := plans.get(row[0]))]
    picked = dict(connection.execute(_PICK, {"ids": list(plans), "ranks": ranks}).fetchall()) if plans else {}
    connection.execute("DROP TABLE sorted")
    for row in groups:
        yield Cell(row[1], row[2]), _row(row, plans, picked)


def _row(row: tuple[Any, ...], plans: dict[int, _Plan], picked: dict[int, list[int]]) -> ActionSummary:
    group, _run, _step, name, occurrence, position, parent, done, ok, mean = row
    measured = _durations(plans[group], mean, picked[group]) if ok else None
    return ActionSummary(Action(name, occurrence), position, parent, Summary(done, ok, measured))
