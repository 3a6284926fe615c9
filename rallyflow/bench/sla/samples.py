"""Asks the booked parts of a benchmark for what criteria and summaries need; DuckDB computes it, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rallyflow.model.records import Part


@dataclass(frozen=True, slots=True)
class Failures:
    """Iterations that failed in the same way."""

    count: int
    action: str  # in which they failed; empty outside any
    error: str  # the class
    message: str  # of one of them

    def __str__(self) -> str:
        """Say it in a line."""
        return ": ".join(filter(None, (self.action, self.error, self.message.partition("\n")[0])))


class PartSamples:
    """The measurements of one step, over all of its attempts. A context manager."""

    def __init__(self, iterations: Sequence[Part], actions: Sequence[Part]) -> None:
        import duckdb

        self._database = duckdb.connect(":memory:", config={"threads": 2})
        self._view(
            "iterations",
            iterations,
            "0 AS attempt, 0 AS started_ns, 0 AS duration_ns, 0 AS idle_ns, '' AS error_type, '' AS error_message, "
            "'' AS error_action",
        )
        self._view("actions", actions, "'' AS name, 0 AS duration_ns, true AS ok")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def iterations(self) -> tuple[int, int]:
        """Return how many iterations ended, and how many of them failed."""
        total, failed = self._row("SELECT count(*), count(error_type) FROM iterations")
        return int(total), int(failed)

    def failures(self) -> list[Failures]:
        """Return how iterations failed, by action and class of error, the most frequent first."""
        rows = self._database.execute(
            "SELECT count(*), coalesce(error_action, ''), error_type, coalesce(min(error_message), '') FROM iterations "
            "WHERE error_type IS NOT NULL GROUP BY error_action, error_type ORDER BY 1 DESC, 2, 3"
        ).fetchall()
        return [Failures(*row) for row in rows]

    def count(self, action: str | None) -> int:
        """Return how many durations there are: of iterations or actions that succeeded."""
        return int(self._aggregate("count(*)", action) or 0)

    def mean(self, action: str | None) -> float | None:
        """Return their mean in seconds; None when there are none."""
        return _seconds(self._aggregate("avg(duration_ns)", action))

    def quantile(self, action: str | None, fraction: float) -> float | None:
        """Return their exact quantile in seconds; None when there are none."""
        return _seconds(self._aggregate(f"quantile_cont(duration_ns, {fraction!r})", action))

    def throughput(self) -> float | None:
        """Return iterations that succeeded per second of load; None without any."""
        rows = self._row(
            "SELECT sum(n), sum(span) FROM (SELECT count(*) FILTER (error_type IS NULL) AS n, "
            "max(started_ns + duration_ns + idle_ns) - min(started_ns) AS span "
            "FROM iterations GROUP BY attempt)"
        )
        return float(rows[0]) / (float(rows[1]) / 1e9) if rows[1] else None

    def _aggregate(self, expression: str, action: str | None) -> Any:
        if action is None:
            return self._row(f"SELECT {expression} FROM iterations WHERE error_type IS NULL")[0]  # noqa: S608
        return self._row(f"SELECT {expression} FROM actions WHERE ok AND name = ?", action)[0]  # noqa: S608

    def _row(self, query: str, *values: object) -> tuple[Any, ...]:
        row = self._database.execute(query, list(values)).fetchone()
        return row if row is not None else (None, None)

    def _view(self, table: str, parts: Sequence[Part], nothing: str) -> None:
        if not parts:
            self._database.execute(f"CREATE VIEW {table} AS SELECT {nothing} WHERE false")
            return
        files = ", ".join("'" + str(part.path).replace("'", "''") + "'" for part in parts)
        self._database.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet([{files}])")  # noqa: S608


def _seconds(nanoseconds: Any) -> float | None:
    return None if nanoseconds is None else float(nanoseconds) / 1e9
