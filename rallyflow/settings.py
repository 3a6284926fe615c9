"""Where rallyflow keeps its things: the home folder and what is in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rallyflow.model.ids import RunId

RESULTS = "results.duckdb"
CACHE = "RALLYFLOW_CACHE"


def cache() -> Path:
    """Return the folder of what is made once and used by all homes of this user; it need not exist.

    It is RALLYFLOW_CACHE, or else rallyflow below XDG_CACHE_HOME or ~/.cache. What is in it is named after its content.
    """
    given = os.environ.get(CACHE)
    if given:
        return Path(given).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "rallyflow"  # a relative one counts for nothing


@dataclass(frozen=True, slots=True)
class Home:
    """The folder with the journal, the runs and the results: `--home`, RALLYFLOW_HOME, or `.rallyflow` here."""

    root: Path

    @classmethod
    def find(cls, given: str | None = None) -> Home:
        """Return the home that an option, the environment or the working directory gives; it need not exist."""
        return cls(Path(given or os.environ.get("RALLYFLOW_HOME") or ".rallyflow").absolute())

    @property
    def journal(self) -> Path:
        """The SQLite file that is the only truth about state."""
        return self.root / "journal.db"

    @property
    def results(self) -> Path:
        """The DuckDB file with the analytical history."""
        return self.root / RESULTS

    def run(self, run: RunId) -> Path:
        """The folder of one run."""
        return self.root / "runs" / run
