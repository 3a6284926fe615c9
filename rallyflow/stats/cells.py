"""What the statistics of benchmark cells share: how a cell is named, and which of equal actions is which.

The functions of this package take a DuckDB connection with the views `iterations` and `actions` and answer
for all cells at once: one pass over the rows, however many cells there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Cell(NamedTuple):
    """A benchmark, or one cell of a benchmark's matrix."""

    run: str
    step: str


class Action(NamedTuple):
    """An action within an iteration. `occurrence` counts equal names from 1; 0 stands for all of them."""

    name: str
    occurrence: int

    @property
    def label(self) -> str:
        """`nova.boot_server`, and for the next one in the same iteration `nova.boot_server (2)`."""
        if self.occurrence == 0:
            return f"{self.name} (all)"
        return self.name if self.occurrence == 1 else f"{self.name} ({self.occurrence})"


MOST_OCCURRENCES = 8  # an action that repeats more often is a loop: its rounds are one row, not hundreds


def prepare(connection: DuckDBPyConnection) -> None:
    """Create the view `named_actions`: `actions` with the column `occurrence`; needed by all other functions.

    Where each position of a cell is always the same action, a position alone tells the occurrence. Only cells
    with branches have to be counted within each iteration.
    """
    connection.execute("SET disabled_optimizers = $names", {"names": ",".join(_disabled(connection))})
    connection.execute(_PLACES)
    connection.execute(_STRAIGHT)
    branched = connection.execute("SELECT 1 FROM branched LIMIT 1").fetchone()
    if branched:
        connection.execute(_COUNTED)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW named_actions AS {_NAMED}{_ALSO if branched else ''}")


# The joins of this package are written with the large side first. DuckDB's own guess of sizes is far off for
# them: it would build on the large side, or aggregate before the join, and need four times the memory.
_GUESSES = ("join_order", "build_side_probe_side", "partial_aggregate_pushdown")


def _disabled(connection: DuckDBPyConnection) -> list[str]:
    there = {name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    return [name for name in _GUESSES if name in there]


_PLACES = """
CREATE OR REPLACE TEMP TABLE places AS SELECT DISTINCT run, step, position, name FROM actions;
CREATE OR REPLACE TEMP TABLE branched AS
SELECT DISTINCT run, step FROM places GROUP BY run, step, position HAVING count(*) > 1"""

_FOLD = """
SELECT * REPLACE (
  if(max(occurrence) OVER (PARTITION BY run, step, name) > LIMIT_OF_OCCURRENCES, 0, occurrence) AS occurrence
)""".replace("LIMIT_OF_OCCURRENCES", str(MOST_OCCURRENCES))

_STRAIGHT = f"""
CREATE OR REPLACE TEMP TABLE straight AS {_FOLD}
FROM (
  SELECT run, step, position, name,
         row_number() OVER (PARTITION BY run, step, name ORDER BY position) AS occurrence
  FROM places ANTI JOIN branched USING (run, step)
)"""  # noqa: S608 - constants

_COUNTED = f"""
CREATE OR REPLACE TEMP TABLE counted AS {_FOLD}
FROM (
  SELECT run, step, iteration, position, name,
         row_number() OVER (PARTITION BY run, step, iteration, name ORDER BY position) AS occurrence
  FROM actions SEMI JOIN branched USING (run, step)
)"""  # noqa: S608 - constants

_NAMED = "SELECT actions.*, occurrence FROM actions JOIN straight USING (run, step, position)"
_ALSO = " UNION ALL SELECT actions.*, occurrence FROM actions JOIN counted USING (run, step, iteration, position)"
