from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

WORKFLOW = """
rallyflow: 1
name: watched
steps:
  servers: {uses: provision/local}
  cloud:
    uses: deploy/embedded
    with: {servers: "${{ steps.servers.servers }}"}
  cells: {uses: shell, matrix: {n: [1, 2]}, with: {run: "echo ${{ matrix.n }}"}}
  flaky:
    uses: shell
    retry: {attempts: 2, delay: 1ms, on: [permanent]}
    with: {run: "test -e mark || { touch mark; exit 1; }"}
  held: {uses: shell, needs: [flaky, cells], with: {run: "while test -e hold; do sleep 0.02; done"}}
outputs: {said: "${{ steps.held.exit_code }}"}
"""
HELD = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'held'"


def held(cli, *options):
    """Start a run that stays in its last step until the file `hold` is gone."""
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(WORKFLOW), *options)
    cli.until(process, HELD)
    return process


def lines(text):
    """Return event lines without the times, which are different for what is not in the journal, and the progress."""
    found = [json.loads(line) for line in text.splitlines()]
    return [
        {name: value for name, value in line.items() if name != "time"} for line in found if line["type"] != "progress"
    ]


def test_watch_prints_the_event_lines_that_apply_prints(cli):
    process = held(cli, "--json")
    watcher = cli.start("watch", "--json")
    first = watcher.stdout.readline()
    (cli.directory / "hold").unlink()
    printed, _ = process.communicate(timeout=60)
    assert lines(first + watcher.stdout.read()) == lines(printed)
    assert lines(cli.ok("watch", "--json", "--no-follow")) == lines(printed)
    assert "removed" in {line["type"] for line in lines(printed)}
    assert watcher.wait(60) == process.returncode == 0


def test_watch_says_the_same_to_a_person(cli):
    process = held(cli)
    watcher = cli.start("watch")
    first = watcher.stderr.readline()
    (cli.directory / "hold").unlink()
    _, said = process.communicate(timeout=60)
    assert (first + watcher.stderr.read()).splitlines() == said.splitlines()
    assert "said: 0" in said


ENDINGS = {
    "a step errors": ("{uses: shell, with: {run: exit 1}}", 4),
    "a person is asked": ("{uses: approve, with: {message: go?}}", 7),
    "all goes well": ("{uses: noop}", 0),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_watch_ends_with_the_exit_code_of_the_run(cli, how):
    step, code = ENDINGS[how]
    done = cli.run("apply", cli.workflow(f"rallyflow: 1\nname: one\nsteps:\n  a: {step}\n"))
    watched = cli.run("watch")
    assert (done.returncode, watched.returncode) == (code, code)
    assert watched.stderr.splitlines() == done.stderr.splitlines()


def test_ctrl_c_ends_watching_and_not_the_run(cli):
    process = held(cli)
    watcher = cli.start("watch")
    watcher.stderr.readline()
    watcher.send_signal(signal.SIGINT)
    said = watcher.stderr.read()
    assert watcher.wait(60) == 130
    assert "the run goes on" in said
    assert process.poll() is None
    (cli.directory / "hold").unlink()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_watching_a_run_whose_process_is_killed_says_so_and_what_to_type(cli):
    process = held(cli)
    watcher = cli.start("watch")
    watcher.stderr.readline()
    cli.kill(process)
    said = watcher.stderr.read()
    assert watcher.wait(60) == 130
    assert "dead" in said
    assert "rallyflow resume" in said
    assert "rallyflow destroy" in said
    assert cli.run("watch", "--json").returncode == 130


def test_no_follow_shows_a_live_run_as_it_is_now(cli):
    held(cli)
    shown = cli.run("watch", "--no-follow")
    assert shown.returncode == 0
    assert "flaky" in shown.stderr
    assert "held" not in shown.stderr


def test_a_run_can_be_watched_in_a_home_that_can_only_be_read(cli):
    process = held(cli)
    folders = [cli.home, *(path for path in cli.home.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o500)
    for path in cli.home.glob("journal.db*"):
        path.chmod(0o400)
    watcher = subprocess.Popen(
        [*without_the_rights_of_root(), *cli._command(["watch"])],
        env=cli._env({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    cli.started.append(watcher)
    first = watcher.stderr.readline()
    for path in folders:
        path.chmod(0o700)
    (cli.directory / "hold").unlink()
    said = first + watcher.stderr.read()
    process.communicate(timeout=60)
    assert (watcher.wait(60), process.returncode) == (0, 0)
    assert "held" in said


def without_the_rights_of_root():
    """Root may write everywhere; without two of its capabilities it may do what the modes of files say."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def test_of_a_run_that_is_resumed_both_sessions_are_shown(cli):
    process = held(cli)
    cli.kill(process)
    (cli.directory / "hold").unlink()
    cli.ok("resume")
    shown = cli.run("watch")
    assert shown.returncode == 0
    assert "resuming run" in shown.stderr
    assert "interrupted" in shown.stderr
