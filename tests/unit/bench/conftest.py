"""The protocols that a step speaks to its engine, kept in memory, and a real cloud of the test's own."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rallyflow.model.ids import RunId, StepId, step_key
from rallyflow.model.records import Part, Resource
from rallyflow.model.states import ResourceState
from rallyflow.model.step import Progress, StepContext

RUN = RunId("20261122-160501-k3f9a")
STEP = StepId("boot")


class MemoryLedger:
    def __init__(self) -> None:
        self.rows: dict[int, Resource] = {}
        self.lock = threading.Lock()

    def intend(self, kind, name, *, inside=0, detail=None):
        with self.lock:
            identity = len(self.rows) + 1
            self.rows[identity] = Resource(
                identity,
                RUN,
                STEP,
                1,
                kind,
                name,
                ResourceState.INTENT,
                inside=inside,
                detail=dict(detail or {}),
            )
        return identity

    def created(self, resource, external_id, *, detail=None):
        row = self.rows[resource]
        merged = {**row.detail, **(detail or {})}
        self.rows[resource] = replace(row, state=ResourceState.CREATED, external_id=external_id, detail=merged)

    def deleted(self, resource):
        self.rows[resource] = replace(self.rows[resource], state=ResourceState.DELETED)

    def open(self):
        return [row for row in self.rows.values() if row.state is not ResourceState.DELETED]


class MemoryParts:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.attempt = 1
        self.on_add = lambda _parts: None

    def add(self, parts):
        self.on_add(parts)
        self.parts += [Part(RUN, STEP, self.attempt, table, path, rows) for table, path, rows in parts]

    def drop(self, parts):
        self.parts = [part for part in self.parts if part not in parts]

    def mine(self, table=None):
        return [part for part in self.parts if table in (None, part.table)]

    def rows(self, table):
        import pyarrow.parquet as pq

        return [row for part in self.mine(table) for row in pq.read_table(part.path).to_pylist()]


class NoHistory:
    def run(self, run):
        raise NotImplementedError

    def steps(self, run):
        raise NotImplementedError

    def parts(self, run):
        raise NotImplementedError


class Bench:
    """Runs attempts of one benchmark step as the engine would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger = MemoryLedger()
        self.parts = MemoryParts()
        self.progress: list[Progress] = []
        self.stop = threading.Event()
        self.attempts = 0

    def context(self) -> StepContext:
        self.attempts += 1
        self.parts.attempt = self.attempts
        return StepContext(
            run=RUN,
            step=STEP,
            attempt=self.attempts,
            key=step_key(RUN, STEP),
            directory=self.directory,
            matrix={"users": 5},
            ledger=self.ledger,
            parts=self.parts,
            history=NoHistory(),
            log=logging.getLogger("rallyflow.test"),
            guardian=os.getpid(),
            stop=self.stop,
            report=self.progress.append,
        )

    def run(self, **inputs):
        from rallyflow.steps.benchmark import Benchmark

        return Benchmark().run(Benchmark.Inputs.model_validate(inputs), self.context())


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
