"""Commands over a real sshd: what they give, and that they really end."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rallyflow.errors import CommandFailed, CommandTimedOut, ServerLost, ServerUnreachable, SudoRefused
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine, Order
from rallyflow.servers.ready import wait_until_ready
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.servers.ssh.patience import Patience

LOCAL = Server(name="here", host="127.0.0.1", connection="local", user="")
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


def env_knows_signals():
    return subprocess.run(["env", "--default-signal=INT", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["ssh", "local"])
def machine(request):
    server = request.getfixturevalue("sshd").server() if request.param == "ssh" else LOCAL
    with Machine(server) as made:
        yield made


@pytest.fixture
def odd(tmp_path):
    """A number of seconds that nobody else sleeps for."""
    return f"9{abs(hash(tmp_path)) % 10**8}"


def test_a_command_gives_its_output_its_error_output_and_its_exit_code(machine):
    done = machine.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_code) == ("out", "err", 3)


def test_input_and_environment_arrive_byte_by_byte_whatever_is_in_them(machine):
    odd = "a'b\"c\\d\\n$HOME`x`\n% é \t!"
    done = machine.run('printf %s "$X" >&2; cat', env={"X": odd}, input=odd.encode() * 20_000)
    assert done.stderr == odd.rstrip("\n")
    heard = []
    machine.stream(Order("cat"), (heard.append, heard.append), source=io.BytesIO(b"\0\xff" * 9), size=18)
    assert b"".join(heard) == b"\0\xff" * 9


def test_neither_the_command_nor_its_environment_stands_among_the_processes(machine):
    shown = machine.run("ps -eo args", env={"TOKEN": "pass" + "word-in-env"}).stdout
    assert "ps -eo args" in shown
    assert "word-in-env" not in shown


def test_a_command_without_input_reads_nothing_and_does_not_wait(machine):
    assert machine.run("cat; echo end").stdout == "end"


def test_the_lines_of_a_command_are_logged_while_it_runs(sshd, tmp_path):
    go, heard = tmp_path / "go", threading.Event()
    with Machine(sshd.server(), log=lambda line: line == "first" and heard.set()) as machine:
        thread = threading.Thread(target=lambda: heard.wait(20) and go.touch())
        thread.start()
        done = machine.run(f"echo first; while [ ! -e {go} ]; do sleep 0.02; done; echo second", timeout=20)
        thread.join()
    assert done.stdout == "first\nsecond"


def test_of_a_large_output_the_end_is_kept_and_the_whole_of_it_streamed(machine):
    done = machine.run("head -c 20000000 /dev/zero | tr '\\0' x; echo; seq 5000")
    assert done.stdout.splitlines()[-1] == "5000"
    assert len(done.stdout) < 1 << 19


def test_a_signal_that_ended_a_command_is_named(machine):
    assert machine.run("kill -9 $$").how == "exit code 137 (SIGKILL)"


@pytest.mark.skipif(not env_knows_signals(), reason="env is older than coreutils 8.31, or of others")
@pytest.mark.parametrize("name", ["INT", "QUIT"])
def test_a_command_minds_the_signals_of_the_keyboard(machine, name):
    assert machine.run(f"trap 'echo caught; exit 5' {name}; kill -s {name} $$").stdout == "caught"
    assert machine.run(f"ulimit -c 0; kill -s {name} $$; echo ignored").stdout == ""


def test_a_command_runs_where_env_knows_no_signals(tmp_path, monkeypatch):
    (tmp_path / "env").write_text("#!/bin/sh\necho 'env: unrecognized option' >&2\nexit 125\n")
    (tmp_path / "env").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with Machine(LOCAL) as machine:
        done = machine.run("echo out")
    assert (done.stdout, done.stderr, done.exit_code) == ("out", "", 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_timeout_ends_all_that_a_command_has_started_in_any_shell(shell, tmp_path, odd, processes_with, monkeypatch):
    (tmp_path / "sh").symlink_to(shutil.which(shell))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CommandTimedOut, match="longer than"), Machine(LOCAL) as machine:
        machine.run(f"sleep {odd} & setsid sleep {odd} & (trap '' TERM; sleep {odd}; sleep {odd})", timeout=0.3)
    assert processes_with(odd) == []


def test_a_timeout_over_ssh_ends_all_that_a_command_has_started(sshd, odd, processes_with):
    with pytest.raises(CommandTimedOut, match="server one"), Machine(sshd.server()) as machine:
        machine.run(f"sleep {odd} & setsid sleep {odd} & nohup sleep {odd}", timeout=0.3)
    assert processes_with(odd) == []


def test_a_wish_to_stop_ends_the_command(machine, odd, processes_with):
    machine.stopped = lambda: bool(processes_with(odd))
    with pytest.raises(StoppedError):
        machine.run(f"sleep {odd}")
    assert processes_with(odd) == []


def test_the_command_ends_when_the_process_that_asked_for_it_is_killed(sshd, odd, processes_with, eventually):
    code = (
        "import sys; from rallyflow.servers.machine import Machine; from rallyflow.model.values import Server;"
        f"Machine(Server.model_validate_json(sys.argv[1])).run('sleep {odd}')"
    )
    for server in (sshd.server(), LOCAL):
        caller = subprocess.Popen([os.sys.executable, "-c", code, server.model_dump_json()])
        eventually(lambda: processes_with(odd), "the command runs")
        caller.kill()
        caller.wait()
        eventually(lambda: not processes_with(odd), "the command has ended")


UNREAD = 3_000_000  # bytes: more than all pipes on the way hold

CALLER = f"""
import sys, time
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine, Order

class Input:
    last = None

    def read(self, size):
        self.last = time.monotonic()
        return bytes(size)

given = Input()

def look():
    if given.last and time.monotonic() - given.last > 0.3:
        print("full", flush=True)
    return False

order = Order(sys.argv[2], sudo=sys.argv[3] == "sudo")
machine = Machine(Server.model_validate_json(sys.argv[1]), stopped=look)
machine.stream(order, (print, print), source=given, size={UNREAD})
"""


@pytest.fixture
def is_ended_with_its_caller(odd, processes_with, eventually):
    """Kill who runs a command that leaves its input unread, once all pipes on the way are full."""

    def check(server, how="plain"):
        words = [os.sys.executable, "-c", CALLER, server.model_dump_json(), f"exec sleep {odd}", how]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as caller:
            assert caller.stdout.readline() == "full\n"
            assert processes_with(odd)
            caller.kill()
        eventually(lambda: not processes_with(odd), "the command has ended")

    return check


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_that_leaves_its_input_unread_ends_with_its_caller_in_any_shell(
    shell, tmp_path, monkeypatch, is_ended_with_its_caller
):
    (tmp_path / "sh").symlink_to(shutil.which(shell))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    is_ended_with_its_caller(LOCAL)


def test_it_ends_so_over_ssh_and_with_sudo_in_between(sshd, sudoer, tmp_path, is_ended_with_its_caller):
    (tmp_path / "free").touch()
    is_ended_with_its_caller(sshd.server())
    is_ended_with_its_caller(sudoer, "sudo")


def test_a_timeout_ends_a_command_that_leaves_its_input_unread(machine, odd, processes_with):
    machine.patience = Patience(grace=0.2)
    with pytest.raises(CommandTimedOut):
        machine.run(f"exec sleep {odd}", input=bytes(UNREAD), timeout=0.3)
    assert processes_with(odd) == []


def kill_the_harness_of(process):
    """Kill the shell around a command, the parent of the leader that the process is a child of."""

    def parent(number):
        return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(parent(parent(process)), signal.SIGKILL)


def test_a_command_whose_harness_is_killed_is_ended_and_no_other_command_with_it(sshd, odd, processes_with, eventually):
    def kill_harness():
        eventually(lambda: processes_with(odd), "the command runs")
        kill_the_harness_of(processes_with(odd)[0])

    ending, other = threading.Event(), f"{odd}0"
    with (
        ThreadPoolExecutor(2) as pool,
        Machine(sshd.server()) as machine,
        Machine(LOCAL, stopped=ending.is_set) as bystander,
    ):
        spared = pool.submit(bystander.run, f"sleep {other}; true")
        try:
            eventually(lambda: processes_with(other), "the other command runs")
            killed = pool.submit(kill_harness)
            with pytest.raises(ServerLost):
                machine.run(f"sleep {odd}; true")
            killed.result()
            assert processes_with(odd) == []
            assert len(processes_with(other)) == 1
        finally:
            ending.set()
        with pytest.raises(StoppedError):
            spared.result()


def test_something_left_in_the_background_neither_blocks_nor_dies(machine, odd, processes_with):
    done = machine.run(f"sleep {odd} & echo started")
    assert done.stdout == "started"
    (left,) = processes_with(odd)
    os.kill(left, signal.SIGKILL)


def test_a_server_that_is_killed_in_the_middle_is_lost_and_the_command_ends(
    sshd_in, tmp_path, odd, processes_with, eventually
):
    sshd = sshd_in(tmp_path)

    def kill_server():
        eventually(lambda: processes_with(odd), "the command runs")
        sshd.stop()

    thread = threading.Thread(target=kill_server)
    thread.start()
    with pytest.raises(ServerLost, match="server one"), Machine(sshd.server()) as machine:
        machine.run(f"sleep {odd}")
    thread.join()
    eventually(lambda: not processes_with(odd), "the command has ended")


def test_a_server_that_is_frozen_is_lost_after_a_silence(sshd_in, tmp_path, odd, processes_with, eventually):
    sshd = sshd_in(tmp_path)

    def freeze():
        eventually(lambda: processes_with(odd), "the command runs")
        for pid in sshd.children():
            os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=freeze)
    thread.start()
    patience = Patience(beat=0.1, silence=1.0, grace=0.1)
    with (
        pytest.raises(ServerLost, match="does not answer any more"),
        Machine(sshd.server(), patience=patience) as machine,
    ):
        machine.run(f"sleep {odd}")
    thread.join()
    sshd.stop()
    eventually(lambda: not processes_with(odd), "the command has ended")


def test_a_connection_that_died_between_two_commands_is_made_again(sshd_in, tmp_path):
    sshd = sshd_in(tmp_path)
    with Machine(sshd.server()) as machine:
        assert machine.run("true").exit_code == 0
        sshd.stop()
        sshd.start()
        assert machine.run("echo again").stdout == "again"


def test_a_dead_server_is_unreachable_and_named(sshd):
    server = sshd.server("db").model_copy(update={"port": 9})
    with pytest.raises(ServerUnreachable, match=re.escape("server db (127.0.0.1:9) does not answer: ")):
        Machine(server).run("true")


def test_a_port_that_listens_but_is_no_ssh_is_not_ready(sshd):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = sshd.server().model_copy(update={"port": mute.getsockname()[1]})
        machine = Machine(server, patience=Patience(connect=0.2))
        with pytest.raises(ServerUnreachable, match="does not answer"):
            wait_until_ready(machine, timeout=0.3, interval=0.1)


def test_a_server_that_comes_up_late_is_waited_for(sshd_in, tmp_path):
    sshd = sshd_in(tmp_path)
    sshd.stop()
    wait_until_ready(Machine(sshd.server()), timeout=20, wait=lambda _seconds: sshd.process or sshd.start())


def test_a_command_that_is_too_long_is_refused_with_advice(machine):
    with pytest.raises(CommandFailed) as caught:
        machine.run("x" * 200_000)
    assert "upload" in caught.value.hint


FAKE_SUDO = """#!/bin/sh
# As sudo does it: -n asks nobody, -S reads one line for each prompt, three times at most; it waits for the command.
if [ "$1" = -n ]; then
  [ -e {folder}/free ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
  shift 2; SUDO=yes "$@"; exit
fi
prompt=$3
shift 4
if [ ! -e {folder}/free ]; then
  for _ in 1 2 3; do printf %s "$prompt" >&2; read -r word; [ "$word" = "open sesame" ] && break; word=; done
  [ -n "$word" ] || {{ echo "sudo: 3 incorrect password attempts" >&2; exit 1; }}
fi
SUDO=yes "$@"; exit
"""


@pytest.fixture
def sudoer(sshd_in, tmp_path):
    """A server where we are not root, and sudo is a program that speaks as sudo does."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, text in {"sudo": FAKE_SUDO.format(folder=tmp_path), "id": "#!/bin/sh\necho 1000\n"}.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    return sshd_in(tmp_path / "sshd", f"SetEnv PATH={bin_}:/usr/sbin:/usr/bin:/sbin:/bin").server()


def with_password(server, folder, word):
    (folder / "word").write_text(word)
    return server.model_copy(update={"password_file": folder / "word"})


def test_sudo_without_a_password_runs_the_command_and_takes_its_input(sudoer, tmp_path):
    (tmp_path / "free").touch()
    for server in (sudoer, with_password(sudoer, tmp_path, "never asked for")):
        with Machine(server) as machine:
            done = machine.run("echo $SUDO; cat", sudo=True, input=b"hello")
            assert done.stdout == "yes\nhello"
            assert machine.run("echo $SUDO").stdout == ""


def test_sudo_with_a_password_gets_it_once_and_nobody_sees_it(sudoer, tmp_path):
    lines = []
    with Machine(with_password(sudoer, tmp_path, "open sesame"), log=lines.append) as machine:
        assert machine.run("echo $SUDO; cat", sudo=True, input=b"hello").stdout == "yes\nhello"
    assert lines == ["yes", "hello"]


def test_sudo_that_refuses_says_so(sudoer, tmp_path):
    with pytest.raises(SudoRefused, match="a password is required"), Machine(sudoer) as machine:
        machine.run("true", sudo=True)
    with pytest.raises(SudoRefused, match="refuses the password"), Machine(with_password(sudoer, tmp_path, "no")) as it:
        it.run("true", sudo=True)


def test_a_command_by_sudo_is_ended_as_well(sudoer, tmp_path, odd, processes_with):
    with pytest.raises(CommandTimedOut), Machine(with_password(sudoer, tmp_path, "open sesame")) as machine:
        machine.run(f"setsid sleep {odd} & sleep {odd}", sudo=True, timeout=0.3)
    assert processes_with(odd) == []
