"""What an attempt had made that was cut off is taken over, or removed and made anew."""

from __future__ import annotations

import signal

import pytest

CLOUD = """
rallyflow: 1
name: cut-off
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}", seed: 1}}
  look: {uses: shell, with: {run: "cat ${{ steps.cloud.cloud.clouds_yaml }}"}}
"""
OUTCOME = "SELECT json_extract(body, '$.reason') FROM event WHERE kind = 'outcome' AND step = 'cloud'"
RESOURCES = "SELECT id, state FROM resource ORDER BY id"


@pytest.fixture
def cut_off(cli):
    """A run that was killed as soon as it was booked that its cloud exists."""
    process = cli.start("apply", cli.workflow(CLOUD), RALLYFLOW_FAULT="kill:resource_created@cloud")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert cli.query("SELECT kind FROM event ORDER BY seq DESC LIMIT 1") == [("resource_created",)]
    return cli


def test_a_cloud_that_was_being_made_is_taken_over(cut_off):
    (settings,) = cut_off.home.glob("runs/*/artifacts/cloud/state/config.json")
    password = settings.read_text()
    done = cut_off.run("resume")
    assert done.returncode == 0, done.stderr
    assert cut_off.query(OUTCOME) == [("took over what the attempt before had made",)]
    assert cut_off.query(RESOURCES) == [(1, "deleted")]
    assert "password: " in cut_off.json("show")["steps"][2]["outputs"]["stdout"]
    assert cut_off.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'cloud'") == [(2,)]
    assert password  # it was there to be taken over


def test_a_cloud_of_which_too_little_is_left_is_removed_and_made_anew(cut_off):
    (settings,) = cut_off.home.glob("runs/*/artifacts/cloud/state/config.json")
    settings.write_text(settings.read_text()[:20])
    done = cut_off.run("resume")
    assert done.returncode == 0, done.stderr
    assert cut_off.query(OUTCOME) == [("",)]
    assert cut_off.query(RESOURCES) == [(1, "deleted"), (2, "deleted")]


def test_a_cloud_that_is_to_be_another_one_now_is_removed_and_made_anew(cut_off):
    done = cut_off.run("resume", "--with", cut_off.workflow(CLOUD.replace("seed: 1", "seed: 2")))
    assert done.returncode == 0, done.stderr
    assert "with.seed: 1 -> 2" in done.stderr or "it was running" in done.stderr
    assert cut_off.query(OUTCOME) == [("",)]
    assert cut_off.query(RESOURCES) == [(1, "deleted"), (2, "deleted")]


def test_what_was_booked_but_not_yet_made_is_looked_for(cli):
    process = cli.start("apply", cli.workflow(CLOUD), RALLYFLOW_FAULT="kill:resource_intended@cloud")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert cli.query("SELECT state FROM resource") == [("intent",)]
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    assert cli.query("SELECT count(*) FROM resource WHERE state <> 'deleted'") == [(0,)]
