from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rallyflow.errors import PermanentError
from rallyflow.processes import alive, is_acted_for
from rallyflow.verifiers.children import Command, Limits, clean_environment, lines_of, run


def shell(tmp_path, text, **more):
    return Command(["/bin/sh", "-c", text], tmp_path, tmp_path, clean_environment(), **more)


def test_output_and_errors_are_read_and_the_exit_code_is_told(tmp_path):
    out, lines = [], []
    ended = run(shell(tmp_path, "echo out; echo err >&2; exit 3"), lambda s: out.append(s.read()), lines.append)
    assert (out, lines, ended.code, ended.cut, list(ended.lines)) == ([b"out\n"], ["err"], 3, "", ["err"])


def test_a_line_without_an_end_is_read_in_pieces(tmp_path):
    pieces, errors = [], []
    text = "head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2"
    run(shell(tmp_path, text), lambda s: pieces.extend(lines_of(s)), errors.append)
    for found, letter in ((pieces, "x"), (errors, "y")):
        assert "".join(found) == letter * 300_000
        assert max(map(len, found)) == 65_536


def test_a_signal_is_told_as_one(tmp_path):
    assert run(shell(tmp_path, "kill -9 $$"), lambda s: s.read()).how == "signal 9"


def test_a_high_exit_code_is_none(tmp_path):
    assert run(shell(tmp_path, "exit 255"), lambda s: s.read()).how == "exit code 255"


def test_a_program_that_is_not_there_is_told(tmp_path):
    ended = run(Command(["/no/such/program"], tmp_path), lambda s: s.read())
    assert ended.code == 127
    assert "can't be started" in ended.lines[0]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(PermanentError, match="can't be started"):
        run(Command(["true"], tmp_path, tmp_path / "none"), lambda s: s.read())


def test_the_time_ends_a_command_with_all_that_it_started(tmp_path):
    out = []
    began = time.monotonic()
    ended = run(
        shell(tmp_path, "echo $$; sleep 100 & echo $!; wait"),
        lambda s: out.extend(s.read().split()),
        limits=Limits(seconds=0.5, grace=0.5),
    )
    assert ended.cut == "timeout"
    assert time.monotonic() - began < 30
    assert not any(alive(int(pid)) for pid in out)


def test_a_command_may_say_something_before_it_ends(tmp_path):
    out = []
    text = "trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.05; done"
    ended = run(
        shell(tmp_path, text),
        lambda s: out.append(s.read()),
        limits=Limits(seconds=1.0, polite=signal.SIGINT, grace=10.0),
    )
    assert (ended.cut, out) == ("timeout", [b"ready\nbye\n"])


DAEMON = "setsid sleep 1000 >/dev/null 2>&1 & echo $!; trap '' INT TERM"


@pytest.mark.parametrize("then", ["exit 0", "kill -9 $$", "sleep 1000"])
def test_what_has_left_the_group_of_a_command_ends_with_it(tmp_path, then):
    out = []
    run(
        shell(tmp_path, f"{DAEMON}; sleep 0.2; {then}"),
        lambda s: out.extend(s.read().split()),
        limits=Limits(seconds=1.0, grace=0.1),
    )
    assert len(out) == 1
    assert not alive(int(out[0]))


def test_what_has_left_the_group_ends_with_the_process_that_wanted_the_command(tmp_path):
    program = (
        "import sys; from pathlib import Path; from rallyflow.verifiers.children import *;"
        f"run(Command(['/bin/sh', '-c', {DAEMON + '; sleep 1000'!r}], Path(sys.argv[1])),"
        "    lambda s: [print(line.decode(), flush=True) for line in s])"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    daemon = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while alive(daemon):
        assert time.monotonic() < deadline, "it outlives the guardian of its keeper"
        time.sleep(0.01)


def test_a_wish_to_stop_ends_a_command(tmp_path):
    stop = threading.Event()
    stop.set()
    assert run(shell(tmp_path, "sleep 100"), lambda s: s.read(), limits=Limits(stop=stop, grace=0.5)).cut == "stop"


def test_what_a_reader_raises_ends_the_command_and_is_raised(tmp_path):
    def read(_source):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run(shell(tmp_path, "sleep 100"), read)


def test_a_command_ends_with_the_process_that_wanted_it_and_acts_for_its_run_until_then(tmp_path):
    program = (
        "import sys; from pathlib import Path; from rallyflow.verifiers.children import *;"
        "run(Command(['/bin/sh', '-c', 'echo $$; sleep 1000'], Path(sys.argv[1])),"
        "    lambda s: [print(line.decode(), flush=True) for line in s])"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert alive(child)
    assert is_acted_for(tmp_path)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while alive(child) or is_acted_for(tmp_path):
        assert time.monotonic() < deadline, "it outlives its guardian"
        time.sleep(0.01)


def test_the_environment_of_others_is_kept_out(monkeypatch):
    monkeypatch.setenv("OS_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    env = clean_environment(OS_CLOUD="mine")
    assert env["OS_CLOUD"] == "mine"
    assert "OS_PASSWORD" not in env
    assert "PYTHONPATH" not in env
    assert env["PATH"] == os.environ["PATH"]
