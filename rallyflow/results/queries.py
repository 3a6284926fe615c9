"""What reports ask of a catalogue beyond statistics: attempts, failures, service levels, tests, health.

Every function answers for all cells at once, keyed by (run, step).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Key = tuple[str, str]
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Session:
    """The iterations that one attempt of a step left. Times are nanoseconds since the epoch."""

    attempt: int
    iterations: int
    first_ns: int
    last_ns: int  # the end of the last one

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return (self.last_ns - self.first_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Failure:
    """Iterations that failed alike: messages that differ only in numbers and ids count as one."""

    type: str
    action: str  # empty: outside of any action
    count: int
    message: str  # of the first of them
    iteration: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion of a service level, as its last evaluation left it."""

    criterion: str
    action: str  # empty: the whole iteration
    wanted: str
    measured: float | None
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a verification, of the last attempt."""

    name: str
    state: str
    seconds: float
    message: str
    detail: str = ""
    attempts: int = 1
    tags: str = ""


@dataclass(frozen=True, slots=True)
class Generator:
    """Processor use of one process of the load generator, as a share of one core."""

    source: str
    mean: float
    highest: float


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much later than planned iterations started, in seconds; only where a load plans its starts."""

    median: float
    p99: float


def sessions(connection: DuckDBPyConnection) -> dict[Key, list[Session]]:
    """Return the attempts that left iterations, in order."""
    return _grouped(connection, _SESSIONS, Session)


def failures(connection: DuckDBPyConnection, most: int = 20) -> dict[Key, list[Failure]]:
    """Return at most `most` groups of failures for each cell, the largest first."""
    return _grouped(connection, _FAILURES, Failure, {"most": most})


def criteria(connection: DuckDBPyConnection) -> dict[Key, list[Criterion]]:
    """Return the verdicts on the service level, of the last attempt that evaluated it."""
    return _grouped(connection, _CRITERIA, Criterion)


def tests(connection: DuckDBPyConnection) -> dict[Key, list[Test]]:
    """Return the tests of every verification: those that failed first, then by name."""
    return _grouped(connection, _TESTS, Test)


def generators(connection: DuckDBPyConnection) -> dict[Key, list[Generator]]:
    """Return how busy each process of the load generator was."""
    return _grouped(connection, _GENERATORS, Generator)


def lateness(connection: DuckDBPyConnection) -> dict[Key, Lateness]:
    """Return how late iterations started, for the cells whose load plans its starts (open loads)."""
    return {key: rows[0] for key, rows in _grouped(connection, _LATENESS, Lateness).items()}


_SESSIONS = """
SELECT run, step, attempt, count(*), min(started_ns), max(started_ns + duration_ns + idle_ns)
FROM iterations GROUP BY run, step, attempt ORDER BY min(started_ns)"""

_FAILURES = """
WITH failed AS (
  SELECT run, step, iteration, started_ns, error_type, coalesce(error_action, '') AS action,
         coalesce(error_message, '') AS message,
         regexp_replace(left(message, 400), '[0-9a-fA-F]{8}-?[0-9a-fA-F-]{20,}|[0-9]+', '#', 'g') AS alike
  FROM iterations WHERE error_type IS NOT NULL
)
SELECT run, step, error_type, action, count(*) AS many, arg_min(message, started_ns),
       arg_min(iteration, started_ns), min(started_ns)
FROM failed GROUP BY run, step, error_type, action, alike
QUALIFY row_number() OVER (PARTITION BY run, step ORDER BY many DESC, min(started_ns)) <= $most
ORDER BY run, step, many DESC, min(started_ns)"""

_CRITERIA = """
SELECT run, step, criterion, coalesce(action, ''), wanted, measured, passed, detail
FROM sla QUALIFY attempt = max(attempt) OVER (PARTITION BY run, step)"""

_TESTS = """
SELECT run, step, name, state, duration_ns / 1e9, message, coalesce(detail, ''), coalesce(attempts, 1),
       coalesce(tags, '')
FROM tests QUALIFY attempt = max(attempt) OVER (PARTITION BY run, step)
ORDER BY run, step, coalesce(list_position(['failed', 'errored', 'uxsuccess', 'xfail'], state), 9), name"""

_GENERATORS = """
SELECT run, step, source, avg(value), max(value)
FROM telemetry WHERE metric = 'cpu' AND starts_with(source, 'generator')
GROUP BY run, step, source ORDER BY run, step, source"""

_LATENESS = """
SELECT run, step, greatest(0, median(started_ns - planned_ns)) / 1e9,
       greatest(0, quantile_cont(started_ns - planned_ns, 0.99)) / 1e9
FROM iterations GROUP BY run, step HAVING max(abs(started_ns - planned_ns)) > 0"""


def _grouped(
    connection: DuckDBPyConnection, sql: str, kind: type[RowT], parameters: dict[str, Any] | None = None
) -> dict[Key, list[RowT]]:
    rows: Iterable[tuple[Any, ...]] = connection.execute(sql, parameters or {}).fetchall()
    found: dict[Key, list[RowT]] = {}
    for run, step, *values in rows:
        found.setdefault((run, step), []).append(kind(*values))
    return found
