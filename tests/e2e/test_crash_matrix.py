"""Kills a run of twelve steps at every event of its journal, and checks that `resume` leads to the same end.

With RALLYFLOW_CRASH_TABLE=DIR what happened is written there, one line of JSON for each trial: docs/crash_matrix.py
makes a page of it.
"""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from rallyflow.clouds.embedded import process
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.speed import Speed
from rallyflow.deployers.credentials import write_clouds_yaml
from rallyflow.deployers.embedded import NAME, REGION
from rallyflow.doctor.fsck import examine
from rallyflow.journal.store import Journal
from rallyflow.settings import Home

WORKFLOW = Path(__file__).with_name("crash.yaml")
ITERATIONS = {"idle[users=1]": 30, "idle[users=2]": 30, "boot": 6}
FINISHED = "SELECT DISTINCT step FROM event WHERE kind = 'outcome' AND state = 'succeeded'"
BY_WORKERS = ("resource_intended", "resource_created", "resource_deleted", "parts_booked")
SHARES = 8  # tests that each kind of fault is dealt to, so that several processes can work on it

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]


class Outside:
    """A cloud that no run makes or ends, in which a benchmark leaves nothing."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "outside"
        speed = {"compute": {"build": "5ms", "delete": "5ms"}, "rpc": {"calls_per_build": 0}}
        process.save_settings(self.state, Settings(password=SecretStr("outside"), speed=Speed.model_validate(speed)))
        pid = process.start(self.state, guardian=os.getpid())
        self.auth_url = process.wait_until_up(self.state, pid).auth_url
        self.clouds_yaml = folder / "outside.yaml"
        auth = {"auth_url": self.auth_url, "username": "admin", "password": "outside", "project_name": "admin"}
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        write_clouds_yaml(self.clouds_yaml, NAME, {"auth": {**auth, **domains}, "region_name": REGION})

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openstack")
            config = openstack.config.OpenStackConfig(config_files=[str(self.clouds_yaml)], load_envvars=False)
            self.cloud = openstack.connection.Connection(config=config.get_one(cloud=NAME))

    def leaks(self) -> list[str]:
        """Return the names of all that a run has left, as the cloud's own API shows them."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openstack")
            listed = (
                *self.cloud.compute.servers(all_projects=True),
                *self.cloud.block_storage.volumes(all_projects=True),
                *self.cloud.image.images(),
                *self.cloud.network.networks(),
                *self.cloud.network.routers(),
                *self.cloud.network.ports(),
                *self.cloud.identity.users(),
                *self.cloud.identity.projects(),
            )
            return [each.name for each in listed if (each.name or "").startswith("rf-")]

    def close(self) -> None:
        self.cloud.close()
        process.stop(self.state)


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Iterator[Outside]:
    cloud = Outside(tmp_path_factory.mktemp("outside"))
    yield cloud
    cloud.close()


@dataclass
class Trial:
    """One run with one fault."""

    cli: Any
    outside: Outside
    working_in: Callable[[Path], list[str]]

    def apply(self, fault: str = "", **env: str) -> int:
        """Run until the end or the fault; returns the exit code, negative for a signal."""
        process = self.cli.start(
            "apply", WORKFLOW, "-p", f"clouds_yaml={self.outside.clouds_yaml}", RALLYFLOW_FAULT=fault, **env
        )
        process.communicate(timeout=120)
        return process.returncode

    def point(self, event: int) -> tuple[str, str]:
        """Return the kind of an event, and the step that it is about."""
        found = self.cli.query(f"SELECT kind, step FROM event WHERE seq = {event}")
        return found[0] if found else ("before it", "")

    def check(self, finished: set[str]) -> None:
        """Check that the run ended as one without a fault does, and that nothing is left of it anywhere."""
        states = self.cli.query("SELECT id, state FROM step")
        assert len(states) == 12
        assert {state for _, state in states} == {"succeeded"}, states
        for step in finished:
            (intents,) = self.cli.query(f"SELECT count(*) FROM event WHERE kind = 'intent' AND step = '{step}'")[0]
            assert intents == len(self.attempts_before(step)), f"{step} ran again"
        assert self.measured() == {step: list(range(count)) for step, count in ITERATIONS.items()}
        assert self.cli.query("SELECT count(*) FROM resource WHERE state <> 'deleted'") == [(0,)]
        assert self.cli.query("SELECT (SELECT count(*) FROM lease) + (SELECT count(*) FROM progress)") == [(0,)]
        assert list(self.cli.home.glob("runs/*/report/index.html"))
        assert self.outside.leaks() == []
        assert self.working_in(self.cli.directory) == []
        assert self.damage() == []

    def measured(self) -> dict[str, list[int]]:
        """Return the numbers of the iterations that count, by step."""
        numbers: dict[str, list[int]] = {}
        for step, path in self.cli.query("SELECT step, path FROM part WHERE tbl = 'iterations'"):
            numbers.setdefault(step, []).extend(pq.read_table(self.cli.home / path)["iteration"].to_pylist())
        return {step: sorted(found) for step, found in numbers.items()}

    def damage(self) -> list[object]:
        """Return what `rallyflow doctor --fsck` finds to be damaged; a part that was never booked is none."""
        journal = Journal(self.cli.home / "journal.db")
        try:
            return [finding for finding in examine(Home(self.cli.home), journal).findings if finding.kind.damage]
        finally:
            journal.close()

    def attempts_before(self, step: str) -> list[int]:
        """Return the attempts that a step needed until it succeeded for the first time."""
        first = f"(SELECT min(seq) FROM event WHERE kind = 'outcome' AND state = 'succeeded' AND step = '{step}')"
        found = self.cli.query(f"SELECT attempt FROM event WHERE kind = 'intent' AND step = '{step}' AND seq < {first}")
        return [attempt for (attempt,) in found]


@pytest.fixture
def trials(tmp_path, outside, cli_in, working_in):
    made = []

    def trial(name: object) -> Trial:
        folder = tmp_path / str(name)
        folder.mkdir()
        made.append(cli_in(folder))
        return Trial(made[-1], outside, working_in)

    yield trial
    for cli in made:
        cli.stop_all()


@pytest.fixture(scope="module")
def events(tmp_path_factory, outside, cli_in, working_in) -> list[tuple[str, str]]:
    """The events of a run without a fault: kind and step, in order."""
    trial = Trial(cli_in(tmp_path_factory.mktemp("clean")), outside, working_in)
    assert trial.apply() == 0
    trial.check(set())
    return trial.cli.query("SELECT kind, step FROM event ORDER BY seq")


def write_row(fault: str, point: tuple[str, str], outcome: str) -> None:
    """Keep what happened, for the table in the docs."""
    folder = os.environ.get("RALLYFLOW_CRASH_TABLE")
    if folder:
        row = {"fault": fault, "kind": point[0], "step": point[1], "outcome": outcome}
        with (Path(folder) / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("fault", ["kill", "kill-before"])
def test_a_run_that_is_killed_at_any_event_of_its_journal_is_finished_by_one_resume(trials, events, fault, share):
    for number in range(share + 1, len(events) + 1, SHARES):
        trial = trials(number)
        code = trial.apply(f"{fault}:{number}")
        if code == 0:  # this run had fewer events: parts are booked as time goes by
            continue
        assert code == -signal.SIGKILL
        point = trial.point(number) if fault == "kill" else events[number - 1]
        finished = {step for (step,) in trial.cli.query(FINISHED)} if number > 1 or fault == "kill" else set()
        if not trial.cli.query("SELECT count(*) FROM run")[0][0]:
            assert "there is no run" in trial.cli.run("resume").stderr
            write_row(fault, point, "nothing had begun")
            continue
        resumed = trial.cli.run("resume")
        if resumed.returncode != 0:
            assert "nothing to resume" in resumed.stderr, resumed.stderr
        trial.check(finished)
        write_row(fault, point, "resumed" if resumed.returncode == 0 else "was done")


@pytest.mark.parametrize("share", range(SHARES))
def test_a_worker_that_is_killed_at_any_event_that_it_writes_costs_one_attempt(trials, events, share):
    for kind, step, count in by_workers(events)[share::SHARES]:
        trial = trials(f"{kind}-{step}-{count}")
        code = trial.apply(f"kill-worker:{kind}@{step}#{count}")
        died = trial.cli.query("SELECT count(*) FROM event WHERE json_extract(body, '$.error.code') = 'RF0603'")
        trial.check({step for (step,) in trial.cli.query(FINISHED)})
        assert code == 0
        if died == [(0,)]:  # parts are booked as time goes by: this run had fewer, or the engine has removed it
            assert count > 1 or kind == "resource_deleted"
            continue
        write_row("kill-worker", (kind, step), "tried again")


def by_workers(events: list[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """Return the events that workers write, each as the n-th of its kind and step, but for `own`: it has no retry."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for kind, step in events:
        if kind in BY_WORKERS and step != "own":
            seen[kind, step] = seen.get((kind, step), 0) + 1
            found.append((kind, step, seen[kind, step]))
    return found


@pytest.mark.parametrize("step", ["health", "idle[users=1]", "boot"])
def test_a_worker_that_stops_for_longer_than_a_heartbeat_costs_one_attempt(trials, step):
    trial = trials(step)
    assert trial.apply(f"stop-worker:parts_booked@{step}", RALLYFLOW_HEARTBEAT="2") == 0
    codes = trial.cli.query("SELECT DISTINCT json_extract(body, '$.error.code') FROM event WHERE kind = 'outcome'")
    assert ("RF0604",) in codes
    trial.check({step for (step,) in trial.cli.query(FINISHED)})
    write_row("stop-worker", ("parts_booked", step), "tried again")


def test_a_run_may_be_killed_again_and_again_by_whoever_resumes_it(trials):
    trial = trials("often")
    assert trial.apply("kill:10") == -signal.SIGKILL
    for _ in range(20):
        (last,) = trial.cli.query("SELECT max(seq) FROM event")[0]
        done = trial.cli.run("resume", RALLYFLOW_FAULT=f"kill:{last + 25}")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    trial.check({step for (step,) in trial.cli.query(FINISHED)})
