"""A run with everything that a report can show, as records and parts on disk, made from a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

import pytest

from rallyflow.model.ids import RunId, StepId, step_slug
from rallyflow.model.records import Part, RunRecord, StepRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.results.parts import write_part
from rallyflow.results.schema import TABLES

START = 1_795_363_501_000_000_000
RUN = RunId("20261122-160501-k3f9a")
NASTY = "boom </script><img src=x onerror=\"document.title='owned'\"> & <b>"
WORKFLOW = "rallyflow: 1\nname: cloud-bench\n# </script><script>alert(1)</script>\nsteps: {}\n"


@dataclass
class Book:
    """Speaks the protocol of a `History` over one run."""

    folder: Path
    record: RunRecord
    records: list[StepRecord] = field(default_factory=list)
    booked: list[Part] = field(default_factory=list)

    def run(self, run: str) -> RunRecord:
        assert run == self.record.id
        return self.record

    def steps(self, run: str) -> Sequence[StepRecord]:
        return [step for step in self.records if step.run == run]

    def parts(self, run: str) -> Sequence[Part]:
        return [part for part in self.booked if part.run == run]

    def step(self, name, uses, seconds=(0, 0), state=StepState.SUCCEEDED, **more):
        matrix = more.get("matrix", {})
        cell = ",".join(f"{key}={str(value).lower()}" for key, value in matrix.items())
        step = StepRecord(
            self.record.id,
            StepId(f"{name}[{cell}]" if cell else name),
            name,
            uses,
            state,
            more.pop("attempt", 1),
            START + int(seconds[0] * 1e9),
            START + int(seconds[1] * 1e9) if seconds[1] else 0,
            **more,
        )
        self.records.append(step)
        return step.id

    def write(self, step, table, rows, attempt=1):
        """Write rows (a dict of its own columns each) as a part, with defaults for the other columns."""
        columns = {name: [{**_DEFAULTS[table], **row}.get(name) for row in rows] for name in TABLES[table].names}
        columns |= {
            "run": [self.record.id] * len(rows),
            "step": [step] * len(rows),
            "attempt": [attempt] * len(rows),
        }
        folder = self.folder / "results" / step_slug(step) / str(attempt)
        folder.mkdir(parents=True, exist_ok=True)
        _, path, count = write_part(folder, f"part-{table}-{len(self.booked)}", table, columns)
        self.booked.append(Part(self.record.id, step, attempt, table, path, count))

    def load(self, step, iterations, *, start=0.0, width=1, attempt=1, first=0):
        """Write iterations, each (list of (action, seconds), error or None), as `width` threads do them."""
        rows, actions = [], []
        free = [START + int(start * 1e9)] * width
        for number, (work, error) in enumerate(iterations, first):
            thread = min(range(width), key=lambda index: free[index])
            begin, total = free[thread], int(sum(seconds for _, seconds in work) * 1e9) + 1000
            rows.append(
                {
                    "iteration": number,
                    "thread": thread,
                    "planned_ns": begin,
                    "started_ns": begin,
                    "duration_ns": total,
                    **(error or {}),
                }
            )
            offsets = accumulate((seconds for _, seconds in work), initial=0.0)
            for position, ((name, seconds), offset) in enumerate(zip(work, offsets, strict=False)):
                last = position == len(work) - 1
                actions.append(
                    {
                        "iteration": number,
                        "position": position,
                        "name": name,
                        "ok": not (error and last),
                        "started_ns": begin + int(offset * 1e9),
                        "duration_ns": int(seconds * 1e9),
                    }
                )
            free[thread] = begin + total + 200_000
        self.write(step, "iterations", rows, attempt)
        self.write(step, "actions", actions, attempt)
        return (max(free) - START) / 1e9


_DEFAULTS = {
    "iterations": {"process": 0, "thread": 0, "idle_ns": 0},
    "actions": {"parent": -1, "ok": True, "requests": 1, "http_ns": 0, "poll_ns": 0},
    "sla": {"action": None},
    "tests": {"started_ns": START, "duration_ns": 120_000_000, "message": ""},
    "telemetry": {"source": "generator:0", "metric": "cpu", "at_ns": START},
}


def make_book(folder):
    workflow = folder / "cloud-bench.yaml"
    workflow.write_text(WORKFLOW)
    return Book(
        folder,
        RunRecord(
            RUN,
            "cloud-bench",
            RunState.SUCCEEDED,
            workflow,
            START,
            START + 900_000_000_000,
            {"users": [1, 5, 10, 20, 30], "requests": 200},
            {
                "rallyflow": "0.1.0",
                "python": "3.11.7",
                "host": "bench-01",
                "cpu": "AMD EPYC 7543P",
                "cores": 32,
                "memory": "251 GiB",
                "kernel": "6.1.0-18-amd64",
                "seed": 20261122,
            },
        ),
    )


@pytest.fixture
def book(tmp_path):
    """Return an empty run."""
    return make_book(tmp_path)


def failure(message, action="nova.boot_server", kind="CloudAnswered"):
    return {"error_type": kind, "error_message": message, "error_action": action}


SNAPSHOT = [
    ("nova.boot_server", 6.1),
    ("nova.create_image", 3.9),
    ("nova.delete_server", 4.3),
    ("nova.boot_server", 6.0),
    ("nova.delete_server", 4.3),
    ("glance.delete_image", 0.1),
]


def snapshots(number, seed=1):
    """Return iterations of the snapshot scenario; every 30th fails in its second action."""
    rng = random.Random(seed)  # noqa: S311 - noise, not a secret
    for index in range(number):
        work = [(name, seconds * rng.lognormvariate(0, 0.14)) for name, seconds in SNAPSHOT]
        failed = index % 30 == 29
        yield (
            (work[:2], failure(f"image {index} went to error: no space", "nova.create_image"))
            if failed
            else (work, None)
        )


@pytest.fixture(scope="session")
def showcase(tmp_path_factory):
    """Return a run with a simulated cloud, tests, a matrix, a snapshot benchmark and a resumed one.

    It is made once: tests do not change it.
    """
    book = make_book(tmp_path_factory.mktemp("showcase"))
    rng = random.Random(7)  # noqa: S311 - noise, not a secret
    book.record = replace(book.record, sessions=2, state=RunState.FAILED)
    cloud = {
        "name": NASTY,
        "kind": "embedded",
        "auth_url": "http://127.0.0.1:35357/v3",
        "simulated": True,
        "versions": {"nova": "simulated 1", "keystone": "simulated 1"},
        "fingerprint": "9b1de0",
    }
    book.step("cloud", "deploy/embedded", (0, 2.5), outputs={"cloud": cloud})
    health = book.step("health", "verify/api", (2.6, 9), StepState.FAILED, reason="1 of 13 tests failed")
    book.write(
        health,
        "tests",
        [{"name": f"identity.test_{n}", "state": "passed"} for n in range(11)]
        + [
            {"name": "compute.test_boot", "state": "failed", "message": NASTY},
            {"name": "volume.test_attach", "state": "skipped", "message": "no volume service"},
        ],
    )
    clock = 10.0
    for users in (1, 5, 10, 20, 30):
        for fast in (False, True):
            mean = 20 + (0.02 if not fast else 0.034) * users**2 - (0.8 if fast else 0)
            work = [
                (
                    [
                        ("nova.boot_server", mean * 0.7 * rng.lognormvariate(0, 0.1)),
                        ("nova.delete_server", mean * 0.3 * rng.lognormvariate(0, 0.1)),
                    ],
                    None,
                )
                for _ in range(120)
            ]
            missed = mean > 45
            matrix = {"users": users, "fast_rpc": fast}
            name = book.step(
                "boot",
                "benchmark",
                (clock, clock + 60),
                StepState.FAILED if missed else StepState.SUCCEEDED,
                matrix=matrix,
                outputs=_results("boot", matrix, "nova.boot_and_delete_server"),
                reason="p95 of nova.boot_server is 43.2 s, wanted <= 40 s" if missed else "",
            )
            book.load(name, work, start=clock, width=users)
            book.write(
                name,
                "sla",
                [
                    _sla("p95", "nova.boot_server", "<= 40 s", mean, not missed),
                    _sla("failure_rate", None, "<= 0%", 0.0, True),
                ],
            )
            book.write(name, "telemetry", [{"value": 0.05 + users / 100}])
            clock += 60
    snap = book.step(
        "snapshot",
        "benchmark",
        (clock, clock + 30),
        StepState.SUCCEEDED,
        outputs=_results("snapshot", {}, "nova.snapshot_server"),
    )
    book.load(snap, list(snapshots(100)), start=clock, width=4)
    book.write(snap, "telemetry", [{"value": 0.97}])
    growing = book.step(
        "list",
        "benchmark",
        (clock + 30, clock + 500),
        StepState.FAILED,
        attempt=2,
        outputs=_results("list", {}, "nova.boot_and_list_server"),
        reason="2 of 200 iterations failed",
    )
    work = [
        (
            [
                ("nova.boot_server", 0.9 + rng.random() / 5),
                ("nova.list_servers", 0.13 + 0.0133 * n * rng.lognormvariate(0, 0.2)),
            ],
            failure(NASTY if n == 20 else "timeout after 300 s", "nova.list_servers") if n in (20, 77) else None,
        )
        for n in range(200)
    ]
    end = book.load(growing, work[:80], start=clock + 30)
    book.load(growing, work[80:], start=end + 45, attempt=2, first=80)
    book.write(growing, "sla", [_sla("failure_rate", None, "<= 0%", 0.01, False)], attempt=2)
    book.step("never", "benchmark", state=StepState.SKIPPED, attempt=0, reason="health did not succeed")
    book.step("report", "report/html", (clock + 501, 0), StepState.RUNNING)
    return book


def _results(step, matrix, scenario):
    return {"results": {"run": RUN, "step": step, "scenario": scenario, "matrix": matrix}}


def _sla(criterion, action, wanted, measured, passed):
    detail = f"{criterion} of {action or 'the iteration'} is {measured:.2f}, wanted {wanted}"
    return {
        "criterion": criterion,
        "action": action,
        "wanted": wanted,
        "measured": measured,
        "passed": passed,
        "detail": detail,
    }
