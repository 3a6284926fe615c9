"""The outside of a deployer: a ledger in memory, a run's folder, nothing else."""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path

import pytest

from rallyflow.clouds.embedded.resources import EmbeddedClouds
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Resource
from rallyflow.model.states import ResourceState
from rallyflow.model.step import StepContext


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let openstacksdk warn of its own internals: nothing here could heed that."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"))


class MemoryLedger:
    """The protocol of a ledger, kept in a dict."""

    def __init__(self):
        self.rows = {}

    def intend(self, kind, name, *, inside=0, detail=None):
        key = len(self.rows) + 1
        self.rows[key] = Resource(
            key,
            RunId("r"),
            StepId("cloud"),
            1,
            kind,
            name,
            ResourceState.INTENT,
            inside=inside,
            detail=detail or {},
        )
        return key

    def created(self, resource, external_id, *, detail=None):
        row = self.rows[resource]
        merged = {**row.detail, **(detail or {})}
        self.rows[resource] = dataclasses.replace(
            row, external_id=external_id, state=ResourceState.CREATED, detail=merged
        )

    def deleted(self, resource):
        self.rows[resource] = dataclasses.replace(self.rows[resource], state=ResourceState.DELETED)

    def open(self):
        return [row for row in self.rows.values() if row.state is not ResourceState.DELETED]


@pytest.fixture
def ledger():
    return MemoryLedger()


@pytest.fixture
def context(tmp_path: Path, ledger):
    """A step's context; what its ledger names is removed afterwards."""
    yield StepContext(
        run=RunId("r"),
        step=StepId("cloud"),
        attempt=1,
        key="abcdefghjk",
        directory=tmp_path,
        matrix={},
        ledger=ledger,
        parts=None,
        history=None,
        log=logging.getLogger("tests"),
        guardian=os.getpid(),
    )
    for row in ledger.open():
        EmbeddedClouds().delete(row)


@pytest.fixture(autouse=True)
def no_clouds_of_ours(monkeypatch, tmp_path):
    """Keep openstacksdk from finding the clouds of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
