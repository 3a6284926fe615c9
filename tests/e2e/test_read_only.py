"""A home that can't be written: what only reads works, and what writes says so in one error."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM

WORKFLOW = """
rallyflow: 1
name: shelved
steps:
  say: {uses: shell, with: {run: "echo heard"}}
  fails: {uses: shell, needs: [say], with: {run: "exit 3"}}
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, needs: [fails], if: always(), with: {servers: "${{ steps.servers.servers }}"}}
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 4, concurrency: 2}}
  hold: {uses: shell, needs: [boot], with: {run: "while test -e hold; do sleep 0.05; done"}}
teardown: never
"""
READING = [
    ("runs",),
    ("show",),
    ("show", "--json"),
    ("logs", "@latest", "say"),
    ("resources",),
    ("sql", "SELECT count(*) FROM iterations"),
    ("why", "@latest", "fails"),
    ("plan", "--run", "@latest"),
    ("graph", "--run", "@latest"),
    ("cleanup", "--all", "--dry-run"),
    ("doctor",),
    ("doctor", "--fsck"),
]
WRITING = [
    ("apply", "workflow.yaml"),
    ("resume",),
    ("rerun",),
    ("destroy", "@latest", "--yes"),
    ("cleanup", "--all", "--yes"),
    ("doctor", "--fsck", "--fix"),
    ("report",),
]
_PR_CAPBSET_DROP, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2


def as_anybody():
    """Make modes count for root too."""
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def run(cli, *arguments):
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=cli.directory,
        env={**os.environ, "RALLYFLOW_HOME": str(cli.home), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=as_anybody,
    )


def protect(folder: Path, *, write: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod((path.stat().st_mode | 0o200) if write else (path.stat().st_mode & ~0o222))


@pytest.fixture(params=["ended", "killed"])
def shelved(request, cli):
    """A home with a run that has ended, or was killed; nothing in it can be written."""
    file = cli.workflow(WORKFLOW)
    if request.param == "killed":
        (cli.directory / "hold").touch()
        process = cli.start("apply", file)
        cli.until(process, "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'hold'")
        cli.kill(process)
        assert (cli.home / "journal.db-wal").exists()
    else:
        cli.run("apply", file)
    protect(cli.home, write=False)
    yield cli
    protect(cli.home, write=True)


def test_what_only_reads_works(shelved):
    before = {path: path.stat().st_mtime_ns for path in shelved.home.rglob("*")}
    for arguments in READING:
        done = run(shelved, *arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (arguments, done.stdout, done.stderr)
    assert "heard" in run(shelved, "logs", "@latest", "say").stdout
    assert json.loads(run(shelved, "sql", "SELECT count(*) AS n FROM iterations", "--json").stdout) == [{"n": 4}]
    assert "can't be written" in run(shelved, "doctor").stdout
    assert {path: path.stat().st_mtime_ns for path in shelved.home.rglob("*")} == before


def test_what_writes_says_in_one_error_that_it_can_not(shelved):
    dead = "dead" in run(shelved, "runs").stdout
    for arguments in (*WRITING, *([("cancel",)] * dead)):
        done = run(shelved, *arguments)
        assert done.returncode in (1, 4), (arguments, done.stdout, done.stderr)
        assert done.stderr.count("error[RF05") == 1, (arguments, done.stderr)
        assert "hint: " in done.stderr
        assert "Traceback" not in done.stderr


def test_a_home_can_not_be_made_below_a_folder_that_can_not_be_written(cli):
    cli.home.mkdir()
    cli.home.chmod(0o555)
    done = run(
        cli, "apply", cli.workflow("rallyflow: 1\nname: x\nsteps: {a: {uses: noop}}\n"), "--home", cli.home / "in"
    )
    assert (done.returncode, done.stderr.count("error[RF0501]")) == (4, 1), done.stderr
