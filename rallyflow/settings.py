"""Where rallyflow keeps its things: the home folder and what is in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rallyflow.model.ids import RunId

RESULTS = "results.duckdb"


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
