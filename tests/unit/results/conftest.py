"""Records of a run, and a way to write parts of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Part, RunRecord, StepRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.results.parts import write_part
from rallyflow.results.schema import TABLES

START = 1_795_363_501_123_456_789
RUN = RunId("20261122-160501-k3f9a")
DEFAULTS = {
    "iterations": {
        "process": 0,
        "thread": 0,
        "planned_ns": START,
        "started_ns": START,
        "duration_ns": 1_500_000_000,
        "idle_ns": 0,
    },
    "sla": {"criterion": "mean", "wanted": "<= 1 s", "passed": True, "detail": "fine"},
    "tests": {"state": "passed", "started_ns": START, "duration_ns": 1, "message": ""},
    "telemetry": {"source": "generator:0", "metric": "cpu", "at_ns": START, "value": 0.5},
}


@pytest.fixture
def run():
    return RunRecord(RUN, "bench", RunState.SUCCEEDED, Path("bench.yaml"), START, START + 10**9, {"users": 5})


@pytest.fixture
def steps():
    return [
        StepRecord(RUN, StepId("cloud"), "cloud", "deploy/embedded", StepState.SUCCEEDED, 1, START, START + 1),
        StepRecord(
            RUN,
            StepId("load[users=5]"),
            "load",
            "benchmark",
            StepState.FAILED,
            2,
            START,
            START + 10**9,
            {"users": 5, "fast": True},
            reason="p95",
        ),
        StepRecord(RUN, StepId("never"), "never", "noop", StepState.SKIPPED),
    ]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes rows of a table as a booked part."""

    def write(table, rows, *, step="load[users=5]", attempt=1, folder=tmp_path):
        folder.mkdir(parents=True, exist_ok=True)
        count = len(list(folder.iterdir()))
        full = [{"run": RUN, "step": step, "attempt": attempt, **DEFAULTS[table], **row} for row in rows]
        columns = {name: [row.get(name) for row in full] for name in TABLES[table].names}
        _, path, rows_written = write_part(folder, f"part-{count}", table, columns)
        return Part(RUN, StepId(step), attempt, table, path, rows_written)

    return write
