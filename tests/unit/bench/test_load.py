from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rallyflow.errors import DiskFull, WorkerDied
from rallyflow.model.states import StepState


@pytest.fixture(autouse=True)
def _frequent_parts(monkeypatch):
    monkeypatch.setattr("rallyflow.bench.load.plan.FLUSH_AFTER", 0.3)


def _load_processes():
    """The load processes that this process has started and that still live."""
    mine = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(stat[1]) == os.getpid() and b"rallyflow.bench.load.process" in command and stat[0] != "Z":
            mine.append(int(entry.name))
    return mine


def test_every_iteration_is_recorded_once_with_its_actions(bench):
    outcome = bench.run(scenario="dummy.five_actions", load={"constant": {"iterations": 500, "concurrency": 5}})

    assert outcome.state is StepState.SUCCEEDED
    assert (outcome.outputs.iterations, outcome.outputs.failures) == (500, 0)
    iterations = bench.parts.rows("iterations")
    assert sorted(row["iteration"] for row in iterations) == list(range(500))
    assert {row["thread"] for row in iterations} <= set(range(5))
    actions = bench.parts.rows("actions")
    assert len(actions) == 2500
    assert {row["name"] for row in actions} == {"dummy.nothing"}
    assert {row["position"] for row in actions} == set(range(5))
    by_number = {row["iteration"]: row for row in iterations}
    for row in actions:
        parent = by_number[row["iteration"]]
        assert row["started_ns"] >= parent["started_ns"]
        assert row["started_ns"] + row["duration_ns"] <= parent["started_ns"] + parent["duration_ns"]


def test_times_are_nanoseconds_since_the_epoch(bench):
    before = time.time_ns()
    bench.run(scenario="dummy.dummy", load={"serial": {"iterations": 3}})
    after = time.time_ns()

    rows = bench.parts.rows("iterations")
    assert all(before - 10**6 <= row["started_ns"] <= after + 10**6 for row in rows)
    assert all(row["planned_ns"] == row["started_ns"] for row in rows)


def test_failed_iterations_say_what_happened_and_in_which_action(bench):
    outcome = bench.run(
        scenario="dummy.dummy_random_fail",
        args={"rate": 1},
        load={"constant": {"iterations": 20, "concurrency": 2}},
    )

    assert outcome.state is StepState.FAILED
    assert "20 of 20 iterations failed" in outcome.reason
    assert outcome.reason.endswith("; dummy.fail: StepError: failed on purpose")
    row = bench.parts.rows("iterations")[0]
    assert (row["error_type"], row["error_message"]) == ("StepError", "failed on purpose")
    assert row["error_action"] == "dummy.fail"
    assert not any(row["ok"] for row in bench.parts.rows("actions") if row["name"] == "dummy.fail")


def test_a_load_for_a_time_runs_for_that_time(bench):
    outcome = bench.run(
        scenario="dummy.dummy",
        args={"sleep": 0.01},
        load={"constant": {"duration": "400ms", "concurrency": 2}},
    )

    rows = bench.parts.rows("iterations")
    assert outcome.state is StepState.SUCCEEDED
    assert 1 <= len(rows) <= 80
    for process in {row["process"] for row in rows}:
        started = [row["started_ns"] for row in rows if row["process"] == process]
        assert max(started) - min(started) < 0.4e9
    assert len({row["iteration"] for row in rows}) == len(rows)  # each process counts in its own numbers


def test_parts_are_of_a_bounded_size_however_fast_iterations_come(bench):
    bench.run(scenario="dummy.five_actions", load={"constant": {"iterations": 45_000, "concurrency": 10}})

    sizes = [part.rows for part in bench.parts.mine("iterations")]
    assert sum(sizes) == 45_000
    assert max(sizes) <= 10_000


def test_the_generators_cpu_and_memory_are_kept(bench):
    bench.run(scenario="dummy.dummy", load={"serial": {"iterations": 1}})

    rows = bench.parts.rows("telemetry")
    assert {row["metric"] for row in rows} == {"cpu", "rss_bytes"}
    assert {row["source"] for row in rows} == {"generator:0"}


def test_a_stop_lets_iterations_finish_and_a_later_attempt_runs_the_rest(bench):
    bench.parts.on_add = lambda _parts: bench.stop.set()
    inputs = {
        "scenario": "dummy.dummy",
        "args": {"sleep": 0.02},
        "load": {"constant": {"iterations": 200, "concurrency": 2}},
    }

    outcome = bench.run(**inputs)
    assert outcome.state is StepState.INTERRUPTED
    first = [row["iteration"] for row in bench.parts.rows("iterations")]
    assert 0 < len(first) < 200
    assert len(set(first)) == len(first)

    bench.stop.clear()
    bench.parts.on_add = lambda _parts: None
    outcome = bench.run(**inputs)
    assert outcome.state is StepState.SUCCEEDED
    rows = bench.parts.rows("iterations")
    assert sorted(row["iteration"] for row in rows) == list(range(200))
    assert {row["attempt"] for row in rows} == {1, 2}


def test_a_killed_load_process_loses_only_what_was_not_booked(bench):
    killed = []

    def kill_one(_parts):
        if not killed:
            killed.append(_load_processes()[0])
            os.kill(killed[0], signal.SIGKILL)

    inputs = {
        "scenario": "dummy.dummy",
        "args": {"sleep": 0.01},
        "load": {"constant": {"iterations": 600, "concurrency": 4}},
    }
    bench.parts.on_add = kill_one
    with pytest.raises(WorkerDied, match="killed by signal 9"):
        bench.run(**inputs)
    assert _load_processes() == []
    booked = [row["iteration"] for row in bench.parts.rows("iterations")]
    assert 0 < len(booked) < 600

    outcome = bench.run(**inputs)
    assert outcome.state is StepState.SUCCEEDED
    assert sorted(row["iteration"] for row in bench.parts.rows("iterations")) == list(range(600))


def test_a_full_disk_stops_the_load_and_keeps_what_was_booked(bench):
    def full(_parts):
        if bench.parts.parts:
            raise DiskFull("no space left")

    bench.parts.on_add = full
    with pytest.raises(DiskFull):
        bench.run(
            scenario="dummy.dummy",
            args={"sleep": 0.01},
            load={"constant": {"iterations": 600, "concurrency": 4}},
        )
    assert _load_processes() == []
    assert bench.parts.rows("iterations")


@pytest.fixture
def little_disk(tmp_path):
    """A file system with room for a few parts."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a file system")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_fills_up_under_the_load_is_told_as_such(bench, little_disk):
    bench.directory = little_disk
    with pytest.raises(DiskFull, match="no space left"):
        bench.run(
            scenario="dummy.dummy",
            args={"sleep": 0.001},
            load={"constant": {"duration": "20s", "concurrency": 4}},
        )
    assert bench.parts.rows("iterations")
    assert _load_processes() == []


def test_a_complete_load_is_judged_again_but_neither_run_nor_booked_twice(bench):
    inputs = {"scenario": "dummy.dummy", "load": {"serial": {"iterations": 5}}}
    first = bench.run(**inputs)
    second = bench.run(**inputs)

    assert second == first
    assert len(bench.parts.rows("iterations")) == 5
    assert len(bench.parts.rows("sla")) == 1
    assert [row["criterion"] for row in bench.parts.rows("sla")] == ["failure_rate"]


def test_progress_tells_how_many_iterations_are_done(bench):
    bench.run(
        scenario="dummy.dummy",
        args={"sleep": 0.02},
        load={"constant": {"iterations": 50, "concurrency": 2}},
    )

    assert bench.progress
    assert all(step.total == 50 for step in bench.progress)
    assert bench.progress[-1].done <= 50
