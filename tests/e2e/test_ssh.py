"""Servers by ssh through the real program: what a user sees, and that nothing is left running there."""

from __future__ import annotations

import json
import os
import signal
import textwrap

import pytest

from rallyflow.errors import Exit

WORKFLOW = """
rallyflow: 1
name: remote
secrets: {{word: {{env: THE_WORD}}}}
steps:
  servers:
    uses: provision/existing
    with:
      user: {user}
      key_file: {key}
      servers:
        - name: a
          host: 127.0.0.1
          port: {port}
          host_key: {host_key}
          role: web
          password: ${{{{ secrets.word }}}}
        - {{name: b, host: 127.0.0.1, port: {port}, host_key: "{print}"}}
  work:
    uses: ssh
    with:
      servers: ${{{{ steps.servers.servers }}}}
      run: {run}
      {more}
outputs:
  said: ${{{{ steps.work.results }}}}
  kernel: ${{{{ steps.servers.facts[0].kernel }}}}
"""
WORD = "open sesame, please"


@pytest.fixture
def workflow(cli, sshd):
    def write(command: str, more: str = "", **changes: object):
        values = {"port": sshd.port, "user": sshd.user, "key": sshd.key_file, "host_key": sshd.host_key}
        values |= {"print": sshd.fingerprint, "run": json.dumps(command), "more": more} | changes
        return cli.workflow(textwrap.dedent(WORKFLOW.format(**values)))

    return write


def test_a_workflow_checks_servers_and_runs_a_command_on_them(cli, workflow):
    done = cli.run("apply", workflow("echo hello from $(uname)"), "--json", THE_WORD=WORD)
    assert done.returncode == 0, done.stderr
    outputs = {line["step"]: line["outputs"] for line in map(json.loads, done.stdout.splitlines()) if "outputs" in line}
    assert [(each["server"], each["stdout"]) for each in outputs["work"]["results"]] == [
        ("a", "hello from Linux"),
        ("b", "hello from Linux"),
    ]
    assert outputs["servers"]["facts"][0]["kernel"] == os.uname().release
    log = cli.ok("logs", "@latest", "work")
    assert "a: hello from Linux" in log
    assert "b: hello from Linux" in log


def test_a_password_is_in_one_private_file_and_nowhere_else(cli, workflow):
    assert cli.run("apply", workflow("true"), THE_WORD=WORD).returncode == 0
    holding = [path for path in cli.home.rglob("*") if path.is_file() and WORD.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["server1.password"]
    assert holding[0].stat().st_mode & 0o777 == 0o600


def test_a_wrong_host_key_ends_the_run_with_both_fingerprints(cli, workflow, sshd):
    wrong = "SHA256:" + "A" * 43
    done = cli.run("apply", workflow("true", print=wrong), THE_WORD=WORD)
    assert done.returncode == Exit.ERRORED
    assert "RF0652" in done.stderr
    words = done.stderr.replace("\n", " ").split()
    assert any(wrong in word for word in words)
    assert any(sshd.fingerprint in word for word in words)


def test_ctrl_c_ends_the_commands_and_resume_runs_them_again(cli, workflow, processes_with, eventually, tmp_path):
    path = workflow(f"test -e {tmp_path}/go || exec sleep 76543.25")
    running = cli.start("apply", path, THE_WORD=WORD)
    eventually(lambda: len(processes_with("76543.25")) == 2, "both run", 60)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == Exit.INTERRUPTED
    assert processes_with("76543.25") == []
    (tmp_path / "go").touch()
    assert cli.run("resume", THE_WORD=WORD).returncode == 0


def test_a_killed_engine_takes_the_commands_with_it(cli, workflow, processes_with, eventually):
    running = cli.start("apply", workflow("sleep 76543.5 & setsid sleep 76543.5 & wait"), THE_WORD=WORD)
    eventually(lambda: len(processes_with("76543.5")) == 4, "both run", 60)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    eventually(lambda: not processes_with("76543.5"), "nothing is left")


def test_a_timeout_of_a_step_ends_the_commands(cli, workflow, processes_with):
    done = cli.run("apply", workflow("sleep 76543.75", more="timeout: 1s"), THE_WORD=WORD)
    assert done.returncode == Exit.ERRORED
    assert "RF0657" in done.stderr
    assert processes_with("76543.75") == []
