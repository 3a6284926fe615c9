"""Who measured: the first three columns of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Owner:
    """The attempt that rows belong to."""

    run: str
    step: str
    attempt: int

    def columns(self, rows: int) -> dict[str, Any]:
        """Return the columns `run`, `step` and `attempt` for a number of rows."""
        import pyarrow as pa

        return {
            "run": pa.repeat(pa.scalar(self.run, pa.string()), rows),
            "step": pa.repeat(pa.scalar(self.step, pa.string()), rows),
            "attempt": pa.repeat(pa.scalar(self.attempt, pa.int32()), rows),
        }
