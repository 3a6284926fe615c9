"""`uses: ssh` against a real sshd."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from pydantic import ValidationError

from rallyflow.errors import CommandFailed, CommandTimedOut, ErrorClass, PermanentError
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume
from rallyflow.model.values import Server
from rallyflow.steps.ssh import Ssh

LOCAL = Server(name="here", host="127.0.0.1", connection="local", user="")


def run(context, *servers, **fields):
    data = {"servers": [server.model_dump() for server in servers], **fields}
    return Ssh().run(Ssh.Inputs.model_validate(data), context)


def test_a_command_runs_on_every_server_and_each_has_its_result(sshd, context):
    found = run(context, sshd.server("a"), sshd.server("b"), LOCAL, run="echo $GREETING", env={"GREETING": "hello"})
    assert found.state is StepState.SUCCEEDED
    assert [(each.server, each.exit_code, each.stdout) for each in found.outputs.results] == [
        ("a", 0, "hello"),
        ("b", 0, "hello"),
        ("here", 0, "hello"),
    ]


def test_every_server_that_failed_is_named_with_what_it_said_last(sshd, context, tmp_path):
    script = f"mkdir {tmp_path}/first 2>/dev/null && exit 0; echo no room >&2; exit 7"
    dead = sshd.server("dead").model_copy(update={"port": 9})
    with pytest.raises(PermanentError) as caught:
        run(context, sshd.server("a"), sshd.server("b"), dead, run=script)
    assert "exit code 7: no room" in caught.value.what
    assert "server dead" in caught.value.what
    assert caught.value.what.startswith("2 servers: ")


def test_exit_codes_may_be_allowed_or_mean_measured_and_bad(sshd, context):
    assert run(context, sshd.server(), run="exit 3", allow=[0, 3]).outputs.results[0].exit_code == 3
    bad = run(context, sshd.server(), LOCAL, run="exit 4", failed=[4])
    assert (bad.state, bad.reason) == (StepState.FAILED, "one: exit code 4; here: exit code 4")
    with pytest.raises(CommandFailed, match="server one: exit code 5"):
        run(context, sshd.server(), run="exit 5")


def test_a_timeout_counts_as_one_for_the_retry_policy(sshd, context, processes_with):
    with pytest.raises(CommandTimedOut) as caught:
        run(context, sshd.server(), run="sleep 87654.25", timeout="300ms")
    assert caught.value.kind is ErrorClass.TIMEOUT
    assert processes_with("87654.25") == []


def test_a_stop_ends_the_commands_and_leaves_the_step_interrupted(sshd, context, processes_with, eventually):
    thread = threading.Thread(
        target=lambda: (eventually(lambda: len(processes_with("87654.5")) == 2, "both run"), context.stop.set())
    )
    thread.start()
    found = run(context, sshd.server("a"), sshd.server("b"), LOCAL, run="test $(id -u) = x || exec sleep 87654.5")
    thread.join()
    assert found.state is StepState.INTERRUPTED
    assert processes_with("87654.5") == []


def test_files_go_up_before_and_come_down_after_the_command(sshd, context, tmp_path):
    (tmp_path / "in").write_text("hello")
    there = tmp_path / "there"
    there.mkdir()
    outputs = run(
        context,
        sshd.server("a"),
        upload=[{"from": str(tmp_path / "in"), "to": f"{there}/in", "mode": "0640"}],
        run=f"tr a-z A-Z <{there}/in >{there}/out",
        download=[{"from": f"{there}/out"}, {"from": f"{there}/in", "to": "as-sent"}],
    ).outputs
    files = outputs.results[0].files
    assert [(file.parent.name, file.name, file.read_text()) for file in files] == [
        ("a", "out", "HELLO"),
        ("a", "as-sent", "hello"),
    ]
    assert (there / "in").stat().st_mode & 0o777 == 0o640


def test_a_step_without_anything_to_do_is_refused(sshd):
    with pytest.raises(ValidationError, match="nothing to do"):
        Ssh.Inputs.model_validate({"servers": [sshd.server().model_dump()]})


def test_a_command_that_may_not_be_repeated_asks_a_person():
    assert Ssh.on_resume_for({"repeatable": False}) is OnResume.MANUAL
    assert Ssh.on_resume_for({}) is OnResume.IDEMPOTENT


def test_the_log_has_each_line_with_its_server(sshd, context, caplog):
    with caplog.at_level("INFO", logger="tests"):
        run(dataclasses.replace(context), sshd.server("db"), run="echo one; echo two >&2")
    assert {"db: one", "db: two"} <= {record.getMessage() for record in caplog.records}
