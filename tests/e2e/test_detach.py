from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

WORKFLOW = """
rallyflow: 1
name: detached
params: {word: {type: str, default: nothing}}
secrets: [token]
steps:
  said: {uses: shell, with: {run: "echo ${{ params.word }}"}}
  told:
    uses: shell
    with: {run: 'test "$TOKEN" = "from the environment"', env: {TOKEN: "${{ secrets.token }}"}}
  held: {uses: shell, needs: [said, told], with: {run: "while test -e hold; do sleep 0.02; done"}}
outputs: {word: "${{ steps.said.stdout }}"}
"""
TOKEN = {"RALLYFLOW_SECRET_TOKEN": "from the environment"}


def held(cli, *options, **environment):
    """Start a run in the background, which stays in its last step until the file `hold` is gone."""
    (cli.directory / "hold").touch()
    return cli.ok("apply", cli.workflow(WORKFLOW), "--detach", *options, **(TOKEN | environment))


def engine(cli, run):
    return json.loads((cli.home / "runs" / run / "engine.lock").read_text())["pid"]


def finish(cli):
    (cli.directory / "hold").unlink()
    return cli.run("watch")


def test_detach_is_back_at_once_and_the_run_goes_on_to_its_end(cli):
    run = held(cli, "-p", "word=hello").strip()
    assert cli.query("SELECT id, state FROM run") == [(run, "running")]
    done = finish(cli)
    assert done.returncode == 0
    assert "word: hello" in done.stderr
    assert "word: hello" in (cli.home / "runs" / run / "detached.log").read_text()


def test_it_says_what_to_type_next_and_as_json_where_it_prints_to(cli):
    (cli.directory / "hold").touch()
    done = cli.run("apply", cli.workflow(WORKFLOW), "--detach", "--json", **TOKEN)
    told = json.loads(done.stdout)
    assert told["process"] == engine(cli, told["run"])
    assert Path(told["log"]).exists()
    assert f"rallyflow watch {told['run']}" in done.stderr
    assert f"rallyflow cancel {told['run']}" in done.stderr
    assert finish(cli).returncode == 0


def test_the_run_has_no_terminal_and_outlives_the_one_that_it_was_started_from(cli):
    (cli.directory / "hold").touch()
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", "--wait", *cli._command(["apply", cli.workflow(WORKFLOW), "--detach"])]
    done = subprocess.run(
        command, cwd=cli.directory, env=cli._env(TOKEN), stdin=theirs, stdout=theirs, stderr=theirs, check=False
    )
    assert done.returncode == 0
    os.close(theirs)
    os.close(ours)
    ((run,),) = cli.query("SELECT id FROM run")
    fields = Path(f"/proc/{engine(cli, run)}/stat").read_text().rpartition(")")[2].split()
    session, number_of_terminal = int(fields[3]), int(fields[4])
    assert (session, number_of_terminal) == (engine(cli, run), 0)
    assert finish(cli).returncode == 0


def test_a_plan_that_was_saved_runs_in_the_background(cli):
    (cli.directory / "hold").touch()
    cli.ok("plan", cli.workflow(WORKFLOW), "-p", "word=saved", "-o", "friday.plan")
    cli.ok("apply", "friday.plan", "--detach", **TOKEN)
    done = finish(cli)
    assert done.returncode == 0
    assert "word: saved" in done.stderr


def test_a_run_in_the_background_is_cancelled_and_resumed_in_the_background(cli, gone):
    run = held(cli).strip()
    locked = cli.run("resume", "--detach", **TOKEN)
    assert locked.returncode == 8
    assert "RF0401" in locked.stderr
    cli.ok("cancel")
    assert cli.ok("resume", "--detach", **TOKEN).strip() == run
    assert finish(cli).returncode == 0
    gone(cli.directory)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["workflow.yaml"], {}, 1, "RALLYFLOW_SECRET_TOKEN"),
        (["workflow.yaml", "--home", "workflow.yaml/home"], TOKEN, 4, "workflow.yaml/home"),
        (["broken.yaml"], TOKEN, 3, "RF02"),
    ],
)
def test_what_can_not_begin_says_why_with_the_exit_code_that_it_has_in_the_foreground(
    cli, arguments, environment, code, said
):
    cli.workflow(WORKFLOW)
    cli.workflow("rallyflow: 1\nname: broken\nstps: {}\n", "broken.yaml")
    here = cli.run("apply", *arguments, **environment)
    there = cli.run("apply", *arguments, "--detach", **environment)
    assert here.returncode == there.returncode == code
    assert said in there.stderr
    assert here.stderr == there.stderr
    assert there.stdout == ""


def test_why_a_run_could_not_begin_is_data_with_json(cli):
    done = cli.run("apply", cli.workflow(WORKFLOW), "--detach", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == "RF0101"
