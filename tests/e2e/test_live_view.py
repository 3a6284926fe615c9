"""What is seen on a terminal while a run goes on, by its own process and by one that watches it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sqlite3
import subprocess

WORKFLOW = """
rallyflow: 1
name: viewed
params: {iterations: {type: int, default: 10}}
steps:
  load:
    uses: benchmark
    with:
      scenario: dummy.dummy
      args: {sleep: 0.02}
      load: {constant: {iterations: "${{ params.iterations }}", concurrency: 2}}
"""
MANY = ("-p", "iterations=100000")


def remember(cli, seconds):
    """Have the journal say that the step took so long in the first run."""
    cli.ok("apply", cli.workflow(WORKFLOW))
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute("UPDATE step SET took_ns = ?", (seconds * 10**9,))


def on_a_terminal(cli, *arguments):
    """Start the program with its stderr on a terminal; returns the process and the other end of the terminal."""
    ours, theirs = pty.openpty()
    environment = cli._env({"TERM": "xterm", "COLUMNS": "120"})
    process = subprocess.Popen(
        cli._command(arguments),
        cwd=cli.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        start_new_session=True,
    )
    cli.started.append(process)
    os.close(theirs)
    return process, os.fdopen(ours, "rb", buffering=0)


def read_until(terminal, pattern):
    """Return what a terminal shows up to a pattern."""
    shown = ""
    while not re.search(pattern, shown):
        assert select.select([terminal], [], [], 60)[0], shown
        shown += terminal.read(4096).decode(errors="replace")
    return shown


def test_apply_and_watch_show_how_far_steps_are_and_how_long_they_take(cli):
    remember(cli, 600)
    process, terminal = on_a_terminal(cli, "apply", cli.workflow(WORKFLOW), *MANY)
    with terminal:
        shown = read_until(terminal, r"(?s)[1-9]\d*/100000.*about 9 min \d+ s left")
        assert "load" in shown
        watcher, other = on_a_terminal(cli, "watch")
        with other:
            seen = read_until(other, r"(?s)[1-9]\d*/100000.*about 9 min")
            cli.kill(process)
            said = read_until(other, "rallyflow destroy")
            assert "load" in seen
            assert watcher.wait(60) == 130, said


def test_the_progress_lines_of_watch_say_how_long_the_run_still_takes(cli):
    remember(cli, 600)
    process = cli.start("apply", cli.workflow(WORKFLOW), *MANY)
    cli.until(process, "SELECT count(*) FROM progress WHERE done > 0")
    watcher = cli.start("watch", "--json")
    line = next(found for found in map(json.loads, watcher.stdout) if found["type"] == "progress")
    assert 500 < line["left_s"] <= 600
    assert line["total"] == 100000


def test_a_run_of_a_kind_that_never_ran_has_no_time_left_that_could_be_told(cli):
    process = cli.start("apply", cli.workflow(WORKFLOW), *MANY)
    cli.until(process, "SELECT count(*) FROM progress WHERE done > 0")
    watcher = cli.start("watch", "--json")
    line = next(found for found in map(json.loads, watcher.stdout) if found["type"] == "progress")
    assert line["left_s"] is None
