"""How an agent on a server ends, as the caller sees it: programs that stand for it, on this machine."""

from __future__ import annotations

import pytest

from rallyflow.deployers.debian import remote
from rallyflow.errors import AgentFailed, TransientError
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine

HERE = Server(name="here", host="127.0.0.1", connection="local", user="")


@pytest.fixture
def do(tmp_path, monkeypatch):
    def call(program: str):
        (tmp_path / "agent.py").write_text(program)
        monkeypatch.setattr(remote, "agent_path", lambda: str(tmp_path / "agent.py"))
        with Machine(HERE) as machine:
            return remote.Agent(machine).do("facts", timeout=30.0)

    return call


def test_an_agent_that_was_killed_may_be_tried_again(do):
    with pytest.raises(TransientError, match="the agent was killed by signal 9") as caught:
        do('import os\nprint(\'{"event": "begun"}\', flush=True)\nos.kill(os.getpid(), 9)')
    assert "dmesg" in caught.value.hint
    assert "server here" in caught.value.what


@pytest.mark.parametrize("code", [1, 128, 255])
def test_an_agent_that_ends_by_itself_with_an_exit_code_can_not_do_its_work_there(do, code):
    with pytest.raises(AgentFailed, match=f"exit code {code}: no module"):
        do(f"import sys\nprint('no module', file=sys.stderr)\nsys.exit({code})")
