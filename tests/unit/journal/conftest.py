from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState

RUN = RunId("20260101-000000-aaaaa")


def plan_of(*names: str) -> Plan:
    return Plan("plan", "file", tuple(PlannedStep(StepId(name), name, "noop", {}, "f", {}) for name in names), {})


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db")
    opened.create_run(RunRecord(RUN, "plan", RunState.RUNNING, Path("w.yaml"), 1), plan_of("a", "b"))
    yield opened
    opened.close()
