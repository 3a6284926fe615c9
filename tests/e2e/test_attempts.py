"""Attempts in their worker processes: signs of life, what they use, and requests that come from other processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time

import pytest

WAITING = """
rallyflow: 1
name: waiting
steps:
  long:
    uses: shell
    retry: {attempts: 2, delay: 10ms}
    with: {run: "echo $PPID > worker; test -e go || while true; do sleep 0.05; done"}
  last: {uses: noop, needs: [long]}
"""


def ask_to_stop(cli, stage):
    """Append what `rallyflow cancel` appends."""
    (run,) = cli.query("SELECT id FROM run")[0]
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute(
            "INSERT INTO event (run, kind, time_ns, body) VALUES (?, 'stop_asked', ?, ?)",
            (run, time.time_ns(), json.dumps({"stage": stage, "by": "somebody"})),
        )
    connection.close()


def worker_of(cli, process):
    file = cli.directory / "worker"
    while not (file.exists() and file.read_text().endswith("\n")):
        assert process.poll() is None
        time.sleep(0.01)
    return int(file.read_text())


def test_a_worker_that_is_stopped_for_longer_than_a_heartbeat_is_killed_and_its_step_tried_again(cli, gone):
    process = cli.start("apply", cli.workflow(WAITING), RALLYFLOW_HEARTBEAT="2")
    worker = worker_of(cli, process)
    (cli.directory / "go").touch()
    os.kill(worker, signal.SIGSTOP)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "RF0604" in said
    ends = cli.query("SELECT state, json_extract(body, '$.error.code') FROM event WHERE kind = 'outcome' ORDER BY seq")
    assert ends == [("errored", "RF0604"), ("succeeded", None), ("succeeded", None)]
    gone(cli.directory)


def test_an_engine_that_was_stopped_for_longer_than_a_heartbeat_goes_on_as_if_nothing_had_been(cli):
    process = cli.start("apply", cli.workflow(WAITING), RALLYFLOW_HEARTBEAT="2")
    worker_of(cli, process)
    process.send_signal(signal.SIGSTOP)
    ready = time.monotonic() + 5
    while time.monotonic() < ready:  # longer than the heartbeat: nothing else tells that it was missed
        time.sleep(0.1)
    (cli.directory / "go").touch()
    process.send_signal(signal.SIGCONT)
    cli.until(process, "SELECT count(*) FROM event WHERE kind = 'intent'", timeout=5)
    os.kill(int((cli.directory / "worker").read_text()), 0)
    cli.kill(process)
    cli.ok("resume")
    codes = cli.query("SELECT json_extract(body, '$.error.code') FROM event WHERE kind = 'outcome'")
    assert set(codes) == {(None,)}


@pytest.mark.parametrize(("stage", "state"), [(1, "interrupted"), (2, "cancelled")])
def test_a_run_ends_when_another_process_asks_it_to(cli, gone, stage, state):
    process = cli.start("apply", cli.workflow(WAITING))
    worker_of(cli, process)
    ask_to_stop(cli, stage)
    if stage == 1:
        process.stderr.readline()
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None
        (cli.directory / "go").touch()
        os.kill(int((cli.directory / "worker").read_text()), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert cli.query("SELECT state FROM run") == [(state,)]
    gone(cli.directory)


def test_progress_is_seen_by_other_processes_while_an_attempt_goes_on(cli):
    text = """
rallyflow: 1
name: load
steps:
  load:
    uses: benchmark
    with: {scenario: dummy.dummy, args: {sleep: 0.02}, load: {constant: {duration: 60s, concurrency: 2}}}
"""
    process = cli.start("apply", cli.workflow(text))
    cli.until(process, "SELECT done > 10 AND cpu_s > 0 AND memory_bytes > 10000000 FROM progress WHERE step = 'load'")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert cli.query("SELECT count(*) FROM progress") == [(0,)]


def test_what_an_attempt_used_is_kept_with_its_children(cli):
    busy = "x=0; while [ $x -lt 200000 ]; do x=$((x+1)); done; head -c 90000000 /dev/zero | tail | wc -c"
    cli.ok("apply", cli.workflow(f'rallyflow: 1\nname: busy\nsteps:\n  a: {{uses: shell, with: {{run: "{busy}"}}}}\n'))
    (step,) = cli.json("show")["steps"]
    assert step["cpu_s"] > 0.1
    assert step["memory_bytes"] > 80_000_000
    assert step["took_ns"] > 1e8


def test_every_attempt_is_a_row_that_can_be_asked_for(cli):
    text = """
rallyflow: 1
name: flaky
steps:
  flaky:
    uses: shell
    retry: {attempts: 3, delay: 10ms, jitter: false, on: [permanent]}
    with: {run: "echo x >> n; test $(wc -l < n) = 3"}
"""
    cli.ok("apply", cli.workflow(text))
    rows = cli.json("sql", "SELECT * FROM attempts ORDER BY attempt")
    assert [(row["attempt"], row["state"], row["error_code"], row["error_class"]) for row in rows] == [
        (1, "errored", "RF0610", "permanent"),
        (2, "errored", "RF0610", "permanent"),
        (3, "succeeded", None, None),
    ]
    assert [row["followed_by"] for row in rows] == ["again in 10 ms", "again in 20 ms", None]
    assert all(row["duration_s"] > 0 and row["memory_bytes"] > 0 for row in rows)


ASKING = """
rallyflow: 1
name: asking
steps:
  go: {uses: approve, with: {message: "go on?", input: {users: {type: int}}}}
  after: {uses: noop, needs: [go], with: {value: "${{ steps.go.answer.users }}"}}
  fails: {uses: shell, on_failure: pause, with: {run: "exit 3"}}
  next: {uses: noop, needs: [fails]}
  hold: {uses: shell, with: {run: "while test -e hold; do sleep 0.05; done"}}
"""


@pytest.mark.parametrize("accepted", [True, False])
def test_answers_are_taken_up_while_the_run_goes_on(cli, accepted):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(ASKING))
    cli.until(process, "SELECT count(*) = 2 FROM step WHERE state = 'paused'")
    cli.ok("approve", "@latest", "go", "-p", "users=5")
    cli.ok("approve", "@latest", "fails", *([] if accepted else ["--reject"]))
    cli.until(
        process, "SELECT count(*) = 2 FROM step WHERE id IN ('after', 'next') AND state IN ('succeeded', 'skipped')"
    )
    (cli.directory / "hold").unlink()
    process.communicate(timeout=60)
    assert process.returncode == 5
    steps = {step["id"]: step for step in cli.json("show")["steps"]}
    assert steps["after"]["outputs"]["value"] == 5
    assert steps["next"]["state"] == ("succeeded" if accepted else "skipped")
    assert "accepted" in steps["fails"]["reason"]
    assert steps["fails"]["error"]["code"] == "RF0610"


ONCE = """
rallyflow: 1
name: once
steps:
  pay:
    uses: shell
    with: {repeatable: false, run: "echo paid >> ledger; test -e ready || while true; do sleep 0.05; done"}
  after: {uses: noop, needs: [pay]}
"""


@pytest.mark.parametrize("again", [True, False])
def test_a_person_decides_whether_a_command_that_is_not_repeatable_runs_again_after_a_crash(cli, again):
    process = cli.start("apply", cli.workflow(ONCE))
    ledger = cli.directory / "ledger"
    while not ledger.exists():
        assert process.poll() is None
    cli.kill(process)
    (cli.directory / "ready").touch()
    for _ in range(2):  # without an answer it goes on waiting
        paused = cli.run("resume")
        assert paused.returncode == 7, paused.stderr
        assert "may not simply be repeated" in paused.stderr or "paused" in paused.stderr
    assert "run it again?" in cli.ok("approve", "--list")
    cli.ok("approve", *([] if again else ["@latest", "pay", "--reject"]))
    done = cli.run("resume")
    assert done.returncode == (0 if again else 5), done.stderr
    assert ledger.read_text().count("paid") == (2 if again else 1)
    states = dict(cli.query("SELECT id, state FROM step"))
    assert states == ({"pay": "succeeded", "after": "succeeded"} if again else {"pay": "failed", "after": "skipped"})


def test_a_second_crash_of_what_is_not_repeatable_is_asked_about_anew(cli):
    process = cli.start("apply", cli.workflow(ONCE))
    ledger = cli.directory / "ledger"
    for count in (1, 2):
        while not (ledger.exists() and ledger.read_text().count("paid") == count):
            assert process.poll() is None
        cli.kill(process)
        assert cli.run("resume").returncode == 7
        cli.ok("approve")
        process = cli.start("resume")
    while ledger.read_text().count("paid") < 3:
        assert process.poll() is None


def test_what_an_earlier_attempt_left_running_is_not_booked_on_a_later_one(cli):
    text = """
rallyflow: 1
name: beside
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  alone: {uses: shell, needs: [cloud], with: {run: "head -c 50000000 /dev/zero | tail | wc -c; sleep 1.5"}}
"""
    cli.ok("apply", cli.workflow(text), "--parallel", "1")  # one worker, whose child the cloud is
    steps = {step["id"]: step for step in cli.json("show")["steps"]}
    assert steps["alone"]["cpu_s"] < 1
    assert 50_000_000 < steps["alone"]["memory_bytes"] < 160_000_000
