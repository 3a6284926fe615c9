"""What `resume` does with what an earlier session made: it answers, is gone, or nobody can tell."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil
import pytest

from rallyflow.clouds.embedded import process

SITE = """
rallyflow: 1
name: site
teardown: never
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}", keep: true}}
"""

GUEST = """
rallyflow: 1
name: guest
teardown: always
steps:
  cloud: {uses: deploy/existing, with: {cloud: embedded, clouds_yaml: CLOUDS}}
  other: {uses: shell, with: {run: "true"}}
  gate: {uses: shell, needs: [cloud], with: {run: "test -e open"}}
  after: {uses: verify/api, needs: [gate], with: {cloud: "${{ steps.cloud.cloud }}", checks: [identity.authenticate]}}
"""

LAST = "SELECT id FROM run ORDER BY created_ns DESC LIMIT 1"


@pytest.fixture
def site(cli):
    """The state folder of a kept cloud, which is removed at the end."""
    cli.ok("apply", cli.workflow(SITE, "site.yaml"))
    (state,) = cli.home.glob("runs/*/artifacts/cloud/state")
    run = cli.json("runs")[0]["run"]
    yield state, run
    cli.run("destroy", run, "--yes")


def who_asks(port, engine):
    """The worker of an engine that has a connection to a port."""
    while engine.poll() is None:
        for child in psutil.Process(engine.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(each.raddr and each.raddr.port == port for each in child.net_connections("tcp4")):
                    return child.pid
    raise AssertionError(f"it has ended before it asked: {engine.communicate()}")


def test_a_cloud_that_does_not_answer_is_not_taken_for_gone(cli, site):
    state, _ = site
    guest = cli.workflow(GUEST.replace("CLOUDS", str(state.parent / "clouds.yaml")), "guest.yaml")
    assert cli.run("apply", guest).returncode == 4
    (pid,) = process.running(state)
    endpoint = process.read_endpoint(state)
    process.stop(state)
    (cli.directory / "open").touch()
    blind = cli.run("resume")
    assert blind.returncode == 4
    assert "RF0605" in blind.stderr
    assert "what cloud made could not be looked at" in blind.stderr
    assert cli.json("show")["state"] == "interrupted"
    states = dict(cli.query(f"SELECT id, state FROM step WHERE run = ({LAST})"))
    assert states == {"cloud": "succeeded", "other": "succeeded", "gate": "planned", "after": "planned"}
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'unprobed'") == [(1,)]
    again = process.start(state, port=endpoint.port)
    assert again != pid
    process.wait_until_up(state, again)
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    assert cli.json("show")["state"] == "succeeded"
    attempts = dict(cli.query(f"SELECT id, attempt FROM step WHERE run = ({LAST})"))
    assert attempts["cloud"] == 1
    assert "fsck" not in cli.run("doctor", "--fsck").stderr


def test_a_probe_whose_worker_is_killed_is_made_again(cli, site):
    state, _ = site
    guest = cli.workflow(GUEST.replace("CLOUDS", str(state.parent / "clouds.yaml")), "guest.yaml")
    assert cli.run("apply", guest).returncode == 4
    (cli.directory / "open").touch()
    (pid,) = process.running(state)
    os.kill(pid, signal.SIGSTOP)
    try:
        resumed = cli.start("resume")
        os.kill(who_asks(process.read_endpoint(state).port, resumed), signal.SIGKILL)
    finally:
        os.kill(pid, signal.SIGCONT)
    _, said = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, said
    assert "cloud  kept: still answers" in said


def test_resume_of_a_finished_run_that_keeps_its_cloud_brings_it_back(cli, site):
    state, run = site
    process.stop(state)
    done = cli.run("resume", run)
    assert done.returncode == 0, done.stderr
    assert "cloud  kept" in done.stderr
    assert len(process.running(state)) == 1
    assert cli.json("show", run)["state"] == "succeeded"
    cli.ok("destroy", run, "--yes")
    refused = cli.run("resume", run)
    assert refused.returncode == 1
    assert "nothing to resume" in refused.stderr


def test_what_can_not_be_removed_any_more_can_be_forgotten(cli, site):
    state, _ = site
    text = GUEST.replace("CLOUDS", str(state.parent / "clouds.yaml")).replace("teardown: always", "teardown: never")
    text = text.replace("clouds.yaml}", "clouds.yaml, base: {image: tiny, flavors: [], network: ''}}")
    assert cli.run("apply", cli.workflow(text, "guest.yaml")).returncode == 4
    run = cli.query(LAST)[0][0]
    process.stop(state)
    left = cli.run("destroy", run, "--yes")
    assert left.returncode == 9
    assert "--forget" in left.stderr
    given_up = cli.run("destroy", run, "--yes", "--forget")
    assert given_up.returncode == 0
    assert "forgotten: openstack.image tiny" in given_up.stderr
    assert cli.query(f"SELECT count(*) FROM resource WHERE run = '{run}' AND state <> 'deleted'") == [(0,)]
    why = cli.query("SELECT json_extract(body, '$.reason') FROM event WHERE kind = 'forgotten'")
    assert len(why) == 1
    assert "Could not connect to server" in why[0][0]
    assert "has left nothing" in cli.run("destroy", run, "--yes").stderr
    assert cli.run("doctor", "--fsck").returncode == 0
