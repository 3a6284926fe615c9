"""Locks that hold across the runs of a home."""

from __future__ import annotations

import os
import signal
import sqlite3

import pytest

from rallyflow.processes import identity, lives

WORKFLOW = """
rallyflow: 1
name: {name}
steps:
  measure:
    uses: shell
    locks: [cloud]
    with: {{run: "echo {name} >> began; while test -e hold-{name}; do sleep 0.05; done; echo {name} >> ended"}}
"""
WAITS = "SELECT count(*) FROM event JOIN run ON run.id = event.run WHERE kind = 'waiting' AND name = '{}'"


class Runs:
    """Runs of workflows that want the same lock, each held up by a file."""

    def __init__(self, cli):
        self.cli = cli

    def start(self, name, *, hold=True):
        if hold:
            (self.cli.directory / f"hold-{name}").touch()
        return self.cli.start("apply", self.cli.workflow(WORKFLOW.format(name=name), f"{name}.yaml"))

    def begun(self, name, process):
        while name not in self.began():
            assert process.poll() is None

    def waits(self, name, process):
        self.cli.until(process, WAITS.format(name))

    def go(self, name):
        (self.cli.directory / f"hold-{name}").unlink()

    def began(self):
        file = self.cli.directory / "began"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def runs(cli):
    return Runs(cli)


def test_runs_that_want_the_same_lock_get_it_one_after_the_other_as_they_came(cli, runs):
    first = runs.start("first")
    runs.begun("first", first)
    second = runs.start("second")
    runs.waits("second", second)
    third = runs.start("third", hold=False)
    runs.waits("third", third)
    runs.go("first")
    runs.begun("second", second)
    assert runs.began() == ["first", "second"]
    runs.go("second")
    said = [process.communicate(timeout=60)[1] for process in (first, second, third)]
    assert [process.returncode for process in (first, second, third)] == [0, 0, 0]
    assert runs.began() == (cli.directory / "ended").read_text().split() == ["first", "second", "third"]
    assert f"waits for the lock cloud, which run {cli.json('runs')[0]['run']}, step measure" in said[1]
    assert cli.query("SELECT count(*) FROM lease") == [(0,)]


def test_the_lock_of_a_run_that_was_killed_is_free_at_once(cli, runs):
    first = runs.start("first")
    runs.begun("first", first)
    second = runs.start("second", hold=False)
    runs.waits("second", second)
    cli.kill(first)
    second.communicate(timeout=30)
    assert second.returncode == 0
    runs.go("first")
    cli.ok("resume", cli.json("runs")[0]["run"])
    assert runs.began() == ["first", "second", "first"]


def test_the_lock_of_a_run_that_is_only_stopped_stays_its_own(cli, runs):
    first = runs.start("first")
    runs.begun("first", first)
    first.send_signal(signal.SIGSTOP)
    second = runs.start("second", hold=False)
    runs.waits("second", second)
    with_expired_lease = "UPDATE lease SET expires_ns = 1 WHERE id = (SELECT min(id) FROM lease)"
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute(with_expired_lease)
    connection.close()
    third = runs.start("third", hold=False)
    runs.waits("third", third)
    assert runs.began() == ["first"]
    first.send_signal(signal.SIGCONT)
    runs.go("first")
    for process in (first, second, third):
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert runs.began() == ["first", "second", "third"]


def test_a_run_that_waits_for_a_lock_can_be_stopped_and_resumed(cli, runs):
    first = runs.start("first")
    runs.begun("first", first)
    second = runs.start("second", hold=False)
    runs.waits("second", second)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=30)
    assert second.returncode == 130
    states = "SELECT step.state FROM step JOIN run ON run.id = step.run WHERE run.name = 'second'"
    assert cli.query(states) == [("interrupted",)]
    runs.go("first")
    first.communicate(timeout=30)
    cli.ok("resume", cli.json("runs")[1]["run"])
    assert runs.began() == ["first", "second"]


def test_a_run_that_is_killed_while_it_waits_keeps_nobody_waiting(cli, runs):
    first = runs.start("first")
    runs.begun("first", first)
    second = runs.start("second", hold=False)
    runs.waits("second", second)
    cli.kill(second)
    third = runs.start("third", hold=False)
    runs.waits("third", third)
    runs.go("first")
    for process in (first, third):
        process.communicate(timeout=30)
        assert process.returncode == 0
    cli.ok("resume", cli.json("runs")[1]["run"])
    assert runs.began() == ["first", "third", "second"]


def test_whether_a_process_lives_is_known_on_its_machine_and_not_elsewhere():
    mine = identity()
    assert lives(mine) is True
    assert lives(mine.replace(f'"pid": {os.getpid()}', '"pid": 1')) is False  # another process with that number
    assert lives(mine.replace('"host": "', '"host": "other-')) is None
    assert lives(mine.replace('"boot": "', '"boot": "0')) is False
    assert lives(mine.replace('"namespace": "', '"namespace": "0')) is None
