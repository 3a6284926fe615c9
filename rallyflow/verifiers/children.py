"""Starts what a verifier runs: in a process group that ends with the step, with its output read while it comes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO, BinaryIO, cast

from rallyflow.errors import PermanentError
from rallyflow.verifiers.keeper import END

_LOOK = 0.1  # seconds between two looks at the time and the wish to stop
_DRAINED = 3.0  # seconds that the last output may take to be read
_ENDING = 3.0  # seconds that the keeper may take to kill what it keeps
_KEPT_LINES = 60
_LONGEST_LINE = 1 << 16  # bytes; a longer one is passed on in pieces


@dataclass(frozen=True, slots=True)
class Command:
    """A command and where it runs. `directory` is the folder of the run that it works for."""

    words: Sequence[str]
    directory: Path
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `cut` says that it was not left to end by itself: `timeout`, `stop`, or nothing."""

    code: int
    cut: str = ""
    lines: Sequence[str] = ()  # the last that it wrote to standard error

    @property
    def how(self) -> str:
        """Return it as words."""
        return f"signal {self.code - 128}" if self.killed else f"exit code {self.code}"

    @property
    def killed(self) -> bool:
        """Whether a signal has ended it, or what it ran as its last: shells say 128 and the signal's number."""
        return 128 < self.code <= 128 + signal.SIGRTMAX


@dataclass(frozen=True, slots=True)
class Limits:
    """When a command is ended before its end: when the time is over, or when the step should stop."""

    seconds: float | None = None
    polite: signal.Signals = signal.SIGTERM  # what asks the command to end
    grace: float = 3.0  # seconds from that to SIGKILL
    stop: Event = field(default_factory=Event)


def run(
    command: Command,
    read: Callable[[BinaryIO], None],
    said: Callable[[str], None] = lambda _line: None,
    limits: Limits | None = None,
) -> Ended:
    """Run a command to its end, or to that of its time.

    `read` gets its standard output, in a thread of its own, `said` each line of its standard error. What `read` raises
    is raised. PermanentError when the command can't be started.
    """
    limits = limits or Limits()
    with _started(command) as process:
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        failures: list[BaseException] = []
        readers = [
            _reader(process.stdout, read, failures),
            _reader(process.stderr, lambda source: _say(source, lines, said), failures),
        ]
        for reader in readers:
            reader.start()
        cut = _wait(process, limits, failures)
        _end(process, limits if cut else None)
        for reader in readers:
            reader.join(_DRAINED)  # what has left the group may hold the pipe for ever
    if failures:
        raise failures[0]
    return Ended(_code(process), cut, tuple(lines))


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would reach into another Python or speak of another cloud."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    keeper = [sys.executable, "-P", "-m", "rallyflow.verifiers.keeper", str(os.getpid()), str(command.directory)]
    try:
        process = subprocess.Popen(
            [*keeper, *command.words],
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise PermanentError(f"{command.words[0]} can't be started: {error}", hint="look at `cwd` and `env`") from error
    try:
        yield process
    finally:
        if process.returncode is None:
            _end(process)


def _wait(process: subprocess.Popen[bytes], limits: Limits, failures: Sequence[BaseException]) -> str:
    """Wait until the command ends, or should end; returns why it should."""
    deadline = time.monotonic() + limits.seconds if limits.seconds is not None else None
    while not _has_ended(process, 0.0):
        if failures:
            return "failure"
        if limits.stop.wait(_LOOK):
            return "stop"
        if deadline is not None and time.monotonic() >= deadline:
            return "timeout"
    return ""


def _end(process: subprocess.Popen[bytes], polite: Limits | None = None) -> None:
    """End what is left of the group, perhaps politely first, and what has left it. Its leader is reaped only then.

    Until it is reaped nobody else can get its number.
    """
    if polite is not None:
        _kill(process, polite.polite)
        _has_ended(process, polite.grace)
    if not _has_ended(process, 0.0):
        os.kill(process.pid, END)
        _has_ended(process, _ENDING)
    _kill(process, signal.SIGKILL)
    process.wait()


def _has_ended(process: subprocess.Popen[bytes], within: float) -> bool:
    """Whether the process ends within some seconds; it stays a zombie."""
    deadline = time.monotonic() + within
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(min(_LOOK, within))
    return True


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the whole group; it may outlive the keeper that leads it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _reader(
    stream: IO[bytes] | None, read: Callable[[BinaryIO], None], failures: list[BaseException]
) -> threading.Thread:
    """Return a thread that reads a stream to its end, and closes it."""
    assert stream is not None  # noqa: S101 - the process was started with a pipe

    def work() -> None:
        with stream:
            try:
                read(cast("BinaryIO", stream))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                failures.append(error)

    return threading.Thread(target=work, daemon=True)


def lines_of(source: BinaryIO) -> Iterator[str]:
    """Give what a stream says line by line, without line ends, however long a line gets."""
    while raw := source.readline(_LONGEST_LINE):
        yield raw.decode(errors="replace").rstrip()


def _say(source: BinaryIO, lines: deque[str], said: Callable[[str], None]) -> None:
    for line in lines_of(source):
        if line:
            lines.append(line)
            said(line)


def _code(process: subprocess.Popen[bytes]) -> int:
    return process.returncode if process.returncode >= 0 else 128 - process.returncode
