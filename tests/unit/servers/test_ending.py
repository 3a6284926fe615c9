"""The end of a command's output: all of it is waited for, however slow the way, and no longer."""

from __future__ import annotations

import io
import os
import select
import shutil
import socket
import subprocess
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.errors import CommandTimedOut, ServerLost
from rallyflow.servers.machine import Machine, Order
from rallyflow.servers.ssh import command as commands
from rallyflow.servers.ssh.command import Command, Limits, NotBegunError
from rallyflow.servers.ssh.ending import Ending
from rallyflow.servers.ssh.harness import Harness

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]
LINE = b"rallyflow-0 ends\n"


@given(
    before=st.lists(st.sampled_from([b"r", b"rallyflow-", b"rallyflow-0 ends", b"\n", b"x"])).map(b"".join),
    after=st.sampled_from([b"", b"r", b"late\n"]),
    comes=st.booleans(),
    size=st.integers(1, 40),
)
def test_the_line_is_taken_out_and_nothing_else_however_it_is_cut(before, after, comes, size):
    whole = before + LINE + after if comes else before.replace(LINE, b"")
    heard = []
    ending = Ending(LINE, heard.append)
    for start in range(0, len(whole), size):
        ending(whole[start : start + size])
    ending.close()
    assert b"".join(heard) == whole.replace(LINE, b"", 1)
    assert ending.has_come == (LINE in whole)


@given(st.binary(max_size=50).map(lambda data: data + b"x"))
def test_output_that_can_not_be_the_line_is_passed_on_at_once(data):
    heard = []
    Ending(LINE, heard.append)(data)
    assert b"".join(heard) == data


class LateWire:
    """A wire whose exit code is there at once, and whose output comes as its clock goes on."""

    def __init__(self, code, pieces, *, ends_after=None):
        self.now = 0.0
        self._code = code
        self._pieces = list(pieces)  # when, stream, data
        self._ends_after = ends_after  # seconds; None: something holds the outputs open

    def monotonic(self):
        return self.now

    def send(self, data):
        return len(data)

    def end(self):
        pass

    def wait(self, seconds):
        self.now += seconds

    def read(self):
        come = [b"", b""]
        while self._pieces and self._pieces[0][0] <= self.now:
            _, stream, data = self._pieces.pop(0)
            come[stream] += data
        return tuple(come)

    def code(self):
        return self._code

    def drained(self):
        return self._ends_after is not None and self.now >= self._ends_after and not self._pieces


def run_over(wire, monkeypatch, harness, **limits):
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=wire.monotonic))
    out, err = [], []
    command = Command(
        wire, harness, "server x", sinks=(out.append, err.append), source=io.BytesIO(), limits=Limits(**limits)
    )
    try:
        return command.run(), b"".join(out), b"".join(err)
    finally:
        assert harness.mark.encode() not in b"".join(out + err)


@pytest.fixture
def harness():
    return Harness("true")


def begins(harness):
    return [(0, 0, harness.begins), (0, 1, harness.begins)]


def test_output_that_the_exit_code_has_overtaken_is_waited_for(monkeypatch, harness):
    late = [(5, 0, b"first "), (20, 0, b"last" + harness.ends), (40, 1, b"err" + harness.ends)]
    wire = LateWire(0, begins(harness) + late)
    assert run_over(wire, monkeypatch, harness) == (0, b"first last", b"err")
    assert wire.now < 41


def test_output_that_never_comes_is_a_lost_server_and_no_success(monkeypatch, harness):
    cut = [(1, 0, b"half of it")]
    with pytest.raises(ServerLost):
        run_over(LateWire(0, begins(harness) + cut, ends_after=2), monkeypatch, harness)
    wire = LateWire(0, begins(harness) + cut)
    with pytest.raises(ServerLost):
        run_over(wire, monkeypatch, harness)
    assert wire.now < 70


def test_a_timeout_counts_while_the_output_is_still_under_way(monkeypatch, harness):
    wire = LateWire(0, [*begins(harness), (50, 0, harness.ends)])
    with pytest.raises(CommandTimedOut):
        run_over(wire, monkeypatch, harness, timeout=3)
    assert wire.now < 5


def test_a_killed_harness_is_not_waited_for(monkeypatch, harness):
    wire = LateWire(-1, [*begins(harness), (0.2, 0, b"last words r")])
    with pytest.raises(ServerLost):
        run_over(wire, monkeypatch, harness)
    assert wire.now < 2


@pytest.mark.parametrize("stream", [0, 1])
def test_a_command_that_was_cut_off_when_one_output_had_begun_is_not_run_again(monkeypatch, harness, stream):
    wire = LateWire(-1, [(0, stream, harness.begins)], ends_after=0)
    with pytest.raises(ServerLost, match="while the command ran"):
        run_over(wire, monkeypatch, harness)
    with pytest.raises(NotBegunError):
        run_over(LateWire(-1, [], ends_after=0), monkeypatch, harness)


class SlowProxy:
    """Stands in front of a port of loopback, and passes on what comes from there in pieces with pauses in between."""

    PIECE, PAUSE = 1 << 16, 0.7  # bytes, seconds

    def __init__(self, port):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._target = ("127.0.0.1", port)
        self._over = threading.Event()
        self.slow = threading.Event()
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(20)
        self._listening.close()

    def _serve(self):
        with self._listening.accept()[0] as client, socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
            server.connect(self._target)
            way = {client: server, server: client}
            while not self._over.is_set():
                for ready in select.select(list(way), [], [], 0.1)[0]:
                    data = ready.recv(self.PIECE)
                    if not data:
                        return
                    way[ready].sendall(data)
                    if ready is server and self.slow.is_set() and len(data) > 1000:
                        self._over.wait(self.PAUSE)


def test_over_a_slow_link_all_of_the_output_arrives(sshd):
    with SlowProxy(sshd.port) as proxy:
        known = sshd.folder / "known_hosts_of_proxy"
        known.write_text(f"[127.0.0.1]:{proxy.port} {sshd.host_key}\n")
        server = sshd.server(known_hosts=known).model_copy(update={"port": proxy.port})
        with Machine(server) as machine:
            assert machine.run("true").exit_code == 0
            proxy.slow.set()
            heard = []
            code = machine.stream(Order("head -c 350000 /dev/zero"), (heard.append, heard.append))
            proxy.slow.clear()
        assert (code, len(b"".join(heard))) == (0, 350_000)


@pytest.mark.parametrize("shell", SHELLS)
def test_an_output_that_the_command_has_left_full_and_not_waiting_still_gets_its_end(shell, tmp_path, monkeypatch):
    (tmp_path / "sh").symlink_to(shutil.which(shell))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    fill = "import os\nos.set_blocking(1, False)\ntry:\n  while os.write(1, b'x' * 4096): pass\nexcept OSError: pass"
    harness = Harness(f'python3 -c "{fill}"; echo filled >&2')
    with subprocess.Popen(["/bin/sh", "-c", harness.line], stdin=-1, stdout=-1, stderr=-1) as process:
        process.stdin.write(harness.script)
        process.stdin.flush()
        while process.stderr.readline() != b"filled\n":
            pass
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        assert process.stdout.read().endswith(b"xxx" + harness.ends)
        assert process.stderr.read() == harness.ends
    assert process.returncode == 0


def test_a_command_without_an_output_of_its_own_still_ends(sshd):
    with Machine(sshd.server()) as machine:
        done = machine.run("exec >&- 2>&-; exit 4")
    assert (done.exit_code, done.stdout, done.stderr) == (4, "", "")
