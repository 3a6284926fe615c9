from __future__ import annotations

import sqlite3

import pytest

WORKFLOW = """
rallyflow: 1
name: cancelled
steps:
  servers: {uses: provision/local}
  cloud:
    uses: deploy/embedded
    with: {servers: "${{ steps.servers.servers }}"}
  held: {uses: shell, needs: [cloud], with: {run: "while test -e hold; do sleep 0.02; done"}}
  after: {uses: noop, needs: [held]}
teardown: always
"""
HELD = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'held'"
LEFT = "SELECT kind FROM resource WHERE state <> 'deleted'"
ASKING = (
    "rallyflow: 1\nname: asking\nsteps:\n  a: {uses: approve, with: {message: go?}}\n  b: {uses: noop, needs: [a]}\n"
)


def held(cli, text=WORKFLOW):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(text))
    cli.until(process, HELD)
    return process


def states(cli):
    return dict(cli.query("SELECT id, state FROM step"))


def run_state(cli):
    return cli.query("SELECT state FROM run")[0][0]


def test_cancel_ends_a_live_run_and_removes_what_it_made(cli, gone):
    process = held(cli)
    done = cli.run("cancel")
    assert done.returncode == 0
    assert "cancelled" in done.stderr
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "removing 1 resource" in said
    assert run_state(cli) == states(cli)["held"] == "cancelled"
    assert cli.query(LEFT) == []
    gone(cli.directory)


def test_cancel_safely_lets_steps_finish_and_starts_no_other(cli):
    process = held(cli)
    canceller = cli.start("cancel", "--safely")
    for line in process.stderr:
        if "stopping" in line:
            break
    (cli.directory / "hold").unlink()
    assert canceller.wait(60) == 0
    assert process.wait(60) == 130
    assert states(cli)["held"] == "succeeded"
    assert states(cli)["after"] == "planned"
    assert run_state(cli) == "interrupted"
    assert len(cli.query(LEFT)) == 1
    cli.ok("resume")


def test_without_waiting_the_run_ends_all_the_same(cli):
    process = held(cli)
    assert cli.json("cancel", "--no-wait")["stage"] == 2
    assert process.wait(60) == 130
    assert run_state(cli) == "cancelled"


def test_a_run_whose_process_was_killed_is_cancelled_with_its_open_steps(cli):
    cli.kill(held(cli))
    assert cli.json("cancel") == {"run": cli.query("SELECT id FROM run")[0][0], "state": "cancelled", "left": []}
    assert run_state(cli) == "cancelled"
    assert states(cli) == {"servers": "succeeded", "cloud": "succeeded", "held": "cancelled", "after": "cancelled"}
    assert cli.query(LEFT) == []
    assert cli.run("watch").returncode == 130
    (cli.directory / "hold").unlink()
    cli.ok("resume")
    assert set(states(cli).values()) == {"succeeded"}


def test_a_workflow_that_never_tears_down_keeps_what_it_made(cli):
    cli.kill(held(cli, WORKFLOW.replace("always", "never")))
    cli.ok("cancel")
    assert run_state(cli) == "cancelled"
    assert len(cli.query(LEFT)) == 1


def test_a_run_that_waits_for_a_person_is_cancelled(cli):
    assert cli.run("apply", cli.workflow(ASKING)).returncode == 7
    cli.ok("cancel")
    assert states(cli) == {"a": "cancelled", "b": "cancelled"}
    assert run_state(cli) == "cancelled"
    assert cli.run("resume").returncode == 7


def test_what_could_not_be_removed_is_named(cli):
    cli.kill(held(cli))
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute("UPDATE resource SET detail = '{}'")  # the handler does not find the cloud
    done = cli.run("cancel")
    assert done.returncode == 9
    assert "embedded.cloud" in done.stderr
    assert "rallyflow destroy" in done.stderr
    assert run_state(cli) == "cancelled"


@pytest.mark.parametrize("options", [[], ["--safely"]])
def test_a_run_that_has_ended_has_nothing_to_cancel(cli, options):
    cli.ok("apply", cli.workflow("rallyflow: 1\nname: one\nsteps:\n  a: {uses: noop}\n"))
    done = cli.run("cancel", *options)
    assert done.returncode == 1
    assert "nothing to cancel" in done.stderr


def test_a_run_that_has_stopped_can_not_be_stopped_safely(cli):
    assert cli.run("apply", cli.workflow(ASKING)).returncode == 7
    done = cli.run("cancel", "--safely")
    assert done.returncode == 1
    assert "stopped already" in done.stderr
    assert run_state(cli) == "paused"
