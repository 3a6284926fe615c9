"""The agent as a program of its own on this machine, below a folder instead of /, with daemons that are real."""

from __future__ import annotations

import getpass
import grp
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rallyflow.deployers.debian.agent.plan import Command, Daemon, File, Plan, Ready, Wait, dump
from rallyflow.deployers.debian.remote import _archive

USER = getpass.getuser()
GROUP = grp.getgrgid(os.getgid()).gr_name
SERVE = """
import http.server, sys
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the agent is root wherever it works")


class Server:
    """What stands for a server: a folder, and an agent that works below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"test-{os.getpid()}-{root.name}"
        self.archive = root / "agent.pyz"
        self.archive.write_bytes(_archive())
        (root / "etc").mkdir()

    def start(self, verb, text):
        env = {**os.environ, "RALLYFLOW_AGENT_ROOT": str(self.root)}
        command = [sys.executable, str(self.archive), verb]
        agent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        agent.stdin.write(text)
        agent.stdin.close()
        return agent

    def run(self, verb, text):
        agent = self.start(verb, text)
        events = [json.loads(line) for line in agent.stdout]
        agent.stdout.close()
        return agent.wait(), events

    def apply(self, plan):
        code, events = self.run("apply", dump(plan))
        assert code == 0, events
        return events[-1]["started"]

    def pids(self, name):
        """The processes of a daemon, as anyone sees them in /proc."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environ = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if f"RALLYFLOW_DAEMON={self.name} {name} ".encode() in environ:
                    found.append(int(entry.name))
        return sorted(found)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.run("remove", json.dumps({"deployment": server.name}))
    assert not (tmp_path / "var/lib/rallyflow/deployment.json").exists()


@pytest.fixture
def plan(server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    script = str(server.root / "serve.py")
    Path(script).write_text(SERVE)
    web = Daemon(
        "web",
        "services",
        ("prepare",),
        (sys.executable, script, str(free_port)),
        USER,
        reads=("/etc/web.conf",),
        ready=Ready("http", f"http://127.0.0.1:{free_port}/"),
    )
    idle = Daemon("idle", "services", (), ("/bin/sh", "-c", "sleep 1000 & wait"), USER)
    prepare = Command(
        "prepare", "databases", (), ("/bin/sh", "-c", f"echo once >> {server.root}/prepared"), USER, {}, "1"
    )
    return Plan(
        deployment=server.name,
        timeout=60.0,
        files=(File("/etc/web.conf", "one\n", GROUP, 0o640, USER), File("/etc/other.conf", "x\n", GROUP, 0o644, USER)),
        units=(web, idle, prepare),
    )


def with_content(plan, path, content):
    files = tuple(replace(file, content=content) if file.path == path else file for file in plan.files)
    return replace(plan, files=files)


def test_what_is_as_it_should_be_stays_as_it_is(server, plan):
    assert sorted(server.apply(plan)) == ["idle", "web"]
    before = server.pids("web"), server.pids("idle")
    assert server.apply(plan) == []
    assert (server.pids("web"), server.pids("idle")) == before
    assert (server.root / "prepared").read_text() == "once\n"
    assert (server.root / "etc/web.conf").stat().st_mode & 0o777 == 0o640


def test_a_changed_file_starts_those_again_that_read_it(server, plan):
    server.apply(plan)
    idle = server.pids("idle")
    assert server.apply(with_content(plan, "/etc/web.conf", "two\n")) == ["web"]
    assert server.apply(with_content(plan, "/etc/web.conf", "two\n")) == []
    assert server.pids("idle") == idle


def test_a_daemon_that_died_is_started_again_with_what_it_had_started_gone(server, plan):
    server.apply(plan)
    leader = next(pid for pid in server.pids("idle") if os.getsid(pid) == pid)
    left = [pid for pid in server.pids("idle") if pid != leader]
    assert left
    os.kill(leader, signal.SIGKILL)
    assert server.apply(plan) == ["idle"]
    assert not set(left) & set(server.pids("idle"))


def test_a_killed_agent_leaves_what_the_next_one_goes_on_with(server, plan):
    never = Wait("never", "register", ("web", "idle"), Ready("http", "http://127.0.0.1:9/"))
    agent = server.start("apply", dump(replace(plan, units=(*plan.units, never))))
    done = set()
    for line in agent.stdout:
        event = json.loads(line)
        if event["event"] == "unit" and event["state"] == "done":
            done.add(event["unit"])
        if {"web", "idle", "prepare"} <= done:
            break
    agent.kill()
    agent.wait()
    agent.stdout.close()
    before = server.pids("web"), server.pids("idle")
    assert all(before)
    assert server.apply(plan) == []
    assert (server.pids("web"), server.pids("idle")) == before
    assert (server.root / "prepared").read_text() == "once\n"


def test_the_facts_say_which_deployment_there_is(server, plan):
    assert server.run("facts", "")[1][-1]["deployment"] == ""
    server.apply(plan)
    assert server.run("facts", "")[1][-1]["deployment"] == plan.deployment


def test_a_daemon_that_ends_is_named_with_what_it_printed(server, plan):
    bad = Daemon("bad", "services", (), ("/bin/sh", "-c", "echo the reason; exit 3"), USER, ready=plan.units[0].ready)
    bad = replace(bad, ready=Ready("http", "http://127.0.0.1:9/"))
    code, events = server.run("apply", dump(replace(plan, units=(bad,))))
    assert code == 1
    assert events[-1]["event"] == "error"
    assert "bad: ended right after it was started" in events[-1]["what"]
    assert "the reason" in events[-1]["log"]


def test_daemons_that_have_ended_meanwhile_are_named_beside_what_failed_without_them(server, plan):
    find = f"grep -lsz '^RALLYFLOW_DAEMON={server.name} web ' /proc/[0-9]*/environ | cut -d/ -f3"
    kill = f'for each in $({find}); do kill -s KILL $each; done; until [ -z "$({find})" ]; do :; done; exit 3'
    asks = Command("asks", "register", ("web", "idle"), ("/bin/sh", "-c", kill), USER, {}, "")
    code, events = server.run("apply", dump(replace(plan, units=(*plan.units, asks))))
    assert code == 1
    assert events[-1]["what"].startswith("asks: /bin/sh -c")
    assert events[-1]["what"].endswith("ended with exit code 3; not running any more: web")
    code, events = server.run("apply", dump(replace(plan, units=(*plan.units, replace(asks, command=("false",))))))
    assert events[-1]["what"] == "asks: false ended with exit code 1"


def test_what_is_never_ready_is_given_up_in_time(server, plan):
    never = Wait("never", "services", (), Ready("http", "http://127.0.0.1:9/"))
    began = time.monotonic()
    code, events = server.run("apply", dump(replace(plan, units=(never,), timeout=1.0)))
    assert code == 1
    assert "is not ready after 1s" in events[-1]["what"]
    assert time.monotonic() - began < 30


def test_a_removal_undoes_what_daemons_leave_once_they_have_ended_and_again_when_that_failed(server, plan):
    gate, undone = server.root / "gate", server.root / "undone"
    undo = ("/bin/sh", "-c", f"test -e {gate} && date >> {undone}")
    server.apply(replace(plan, undo=(undo,)))
    server.apply(replace(plan, undo=(undo,)))
    server.apply(plan)
    code, events = server.run("remove", json.dumps({"deployment": server.name}))
    assert (code, events[-1]["event"]) == (1, "error")
    assert server.pids("web") == []
    gate.touch()
    assert server.run("remove", json.dumps({"deployment": server.name}))[0] == 0
    assert len(undone.read_text().splitlines()) == 1


def test_another_deployment_is_not_touched(server, plan):
    server.apply(plan)
    before = server.pids("web")
    code, events = server.run("apply", dump(replace(plan, deployment="another")))
    assert code == 1
    assert events[-1]["kind"] == "taken"
    assert server.pids("web") == before
    code, events = server.run("remove", json.dumps({"deployment": "another"}))
    assert (code, events[-1]["found"]) == (0, False)
    assert server.pids("web") == before


def test_a_removal_puts_back_what_was_there(server, plan):
    (server.root / "etc/web.conf").write_text("the package's own\n")
    (server.root / "etc/web.conf").chmod(0o604)
    server.apply(plan)
    server.apply(with_content(plan, "/etc/web.conf", "two\n"))
    code, events = server.run("remove", json.dumps({"deployment": plan.deployment}))
    assert (code, events[-1]["found"]) == (0, True)
    assert (server.root / "etc/web.conf").read_text() == "the package's own\n"
    assert (server.root / "etc/web.conf").stat().st_mode & 0o777 == 0o604
    assert not (server.root / "etc/other.conf").exists()
    assert server.pids("web") == server.pids("idle") == []
    assert "rallyflow" not in (server.root / "etc/hosts").read_text()


def test_a_removal_that_was_cut_off_puts_back_the_same_again(server, plan):
    own, in_the_way = server.root / "etc/web.conf", server.root / "etc/other.conf"
    own.write_text("the package's own\n")
    server.apply(plan)
    in_the_way.unlink()
    in_the_way.mkdir()  # the removal comes to web.conf, and not beyond this
    assert server.run("remove", json.dumps({"deployment": plan.deployment}))[0] != 0
    in_the_way.rmdir()
    assert server.run("remove", json.dumps({"deployment": plan.deployment}))[0] == 0
    assert own.read_text() == "the package's own\n"
    own.write_text("another one\n")
    server.apply(plan)
    server.run("remove", json.dumps({"deployment": plan.deployment}))
    assert own.read_text() == "another one\n"


def test_daemons_that_are_not_wanted_any_more_end(server, plan):
    server.apply(plan)
    server.apply(replace(plan, units=tuple(unit for unit in plan.units if unit.name != "idle")))
    assert server.pids("idle") == []
    assert server.pids("web")


def test_halting_stops_what_differs_and_changes_nothing_else(server, plan):
    server.apply(plan)
    idle = server.pids("idle")
    code, events = server.run("halt", dump(with_content(plan, "/etc/web.conf", "two\n")))
    assert (code, events[-1]["event"]) == (0, "halted")
    assert server.pids("web") == []
    assert server.pids("idle") == idle
    assert (server.root / "etc/web.conf").read_text() == "one\n"
