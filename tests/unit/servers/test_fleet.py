"""Many servers at a time: a result for each, and no error that hides another."""

from __future__ import annotations

import threading

import pytest

from rallyflow.errors import CommandFailed, ErrorClass, LoginRefused, PermanentError, ServerUnreachable, TransientError
from rallyflow.servers.fleet import joined, on_all


def never():
    return False


def test_twenty_servers_work_at_the_same_time(sshd, tmp_path):
    servers = [sshd.server(f"s{number:02}") for number in range(20)]
    meeting = f"touch {tmp_path}/$N; while [ $(ls {tmp_path} | wc -l) -lt 20 ]; do sleep 0.1; done; echo $N"
    found = on_all(
        servers, lambda it: it.run(meeting, env={"N": it.server.name}, timeout=40), stopped=never, at_once=20
    )
    assert [each.value.stdout for each in found] == [server.name for server in servers]


def test_a_server_that_fails_hides_none_of_the_others(sshd):
    dead = sshd.server("dead").model_copy(update={"port": 9})
    alone = sshd.server("alone", key_file=sshd.folder / "nothing")
    found = on_all([dead, sshd.server("good"), alone], lambda it: it.run("echo hi").stdout, stopped=never)
    assert [each.value for each in found] == [None, "hi", None]
    assert [type(each.error) for each in found] == [ServerUnreachable, type(None), LoginRefused]


def test_no_more_than_are_asked_for_work_at_a_time(sshd):
    lock, now, most = threading.Lock(), [0], [0]

    def work(_machine):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        with lock:
            now[0] -= 1

    on_all([sshd.server(f"s{number}") for number in range(9)], work, stopped=never, at_once=2)
    assert most[0] <= 2


def test_lines_come_with_the_name_of_their_server(sshd):
    lines = []
    servers = [sshd.server("a"), sshd.server("b")]
    on_all(servers, lambda it: it.run("echo hello"), stopped=never, log=lambda name, line: lines.append((name, line)))
    assert sorted(lines) == [("a", "hello"), ("b", "hello")]


def test_an_exception_in_the_middle_ends_what_runs_elsewhere(sshd, processes_with, eventually):
    def work(machine):
        if machine.server.name == "bad":
            eventually(lambda: processes_with("98765.5"), "the command runs")
            raise RuntimeError("a mistake")
        machine.run("sleep 98765.5")

    with pytest.raises(RuntimeError, match="a mistake"):
        on_all([sshd.server("bad"), sshd.server("good")], work, stopped=never)
    assert processes_with("98765.5") == []


def test_joined_errors_name_all_and_are_transient_only_when_all_are():
    one, two = ServerUnreachable("a is dead", hint="up?"), ServerUnreachable("b is dead", hint="up?")
    both = joined([one, two])
    assert (type(both), both.what, both.hint) == (ServerUnreachable, "2 servers: a is dead; b is dead", "up?")
    assert joined([one]) is one
    assert joined([one, TransientError("x")]).kind is ErrorClass.TRANSIENT
    assert type(joined([one, CommandFailed("c")])) is PermanentError
