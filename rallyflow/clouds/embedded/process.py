"""Starts, finds and stops the process of an embedded cloud, by its state folder."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from rallyflow.clouds.embedded.settings import Settings
from rallyflow.errors import StepError

MODULE = "rallyflow.clouds.embedded"
START_TIMEOUT_S = 60.0
_LOG_TAIL_BYTES = 2000
_GRACE_S = 5.0


class Endpoint(BaseModel):
    """Where a cloud answers, as it wrote down itself."""

    model_config = ConfigDict(frozen=True)

    pid: int
    port: int
    auth_url: str
    started_ns: int


def save_settings(state: Path, settings: Settings) -> None:
    """Make the state folder, and write the settings into it, readable by nobody else."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(_config(state), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(settings.for_file())


def load_settings(state: Path) -> Settings:
    """Return the settings of a cloud that was made before; FileNotFoundError when there are none."""
    return Settings.model_validate_json(_config(state).read_bytes())


def start(state: Path, *, port: int = 0, guardian: int = 0) -> int:
    """Start the process in a session of its own and return its id at once.

    `port` is tried first, 0 is any; `guardian` is the process to end with, 0 is none.
    """
    endpoint_file(state).unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", MODULE, "--state", str(state), "--port", str(port)]
    command += ["--guardian", str(guardian), "--config", str(_config(state))]
    log = str(state / "cloud.log")
    # A spawned process needs no Popen object that somebody has to keep until the cloud ends.
    return os.posix_spawn(
        sys.executable,
        command,
        os.environ,
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ],
    )


def wait_until_up(state: Path, pid: int) -> Endpoint:
    """Return where the cloud answers, as soon as it listens; StepError when its process ends before that."""
    deadline = time.monotonic() + START_TIMEOUT_S
    with _Watch(pid) as watch:
        while not endpoint_file(state).exists():
            if watch.ended(within=0.005):
                _reap(pid)
                raise StepError(f"the embedded cloud did not start: {_log_tail(state)}", hint=f"see {state}/cloud.log")
            if time.monotonic() > deadline:
                raise StepError(f"the embedded cloud does not listen after {START_TIMEOUT_S:.0f} s")
    return read_endpoint(state)


def read_endpoint(state: Path) -> Endpoint:
    """Return where the cloud answered when it started last; FileNotFoundError when it never did."""
    return Endpoint.model_validate_json(endpoint_file(state).read_bytes())


def endpoint_file(state: Path) -> Path:
    """Return the file in which a cloud says where it answers."""
    return state / "endpoint.json"


def running(state: Path) -> tuple[int, ...]:
    """Return the ids of all processes that serve a state folder: none, or one."""
    return tuple(pid for pid in _processes() if _serves(pid, state))


def stop(state: Path) -> None:
    """End what serves a state folder and wait until it is gone: SIGTERM, after five seconds SIGKILL."""
    for pid in running(state):
        with _Watch(pid) as watch:
            for number, patience in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
                # Looked at again behind the pidfd: the id can't have gone to another process since.
                if _serves(pid, state):
                    watch.send(number)
                if watch.ended(within=patience):
                    break
            else:
                raise StepError(f"process {pid} of the embedded cloud does not end")
        _reap(pid)


class _Watch:
    """A pidfd: one process, and never another one that got its id."""

    def __init__(self, pid: int) -> None:
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._descriptor >= 0:
                signal.pidfd_send_signal(self._descriptor, number)

    def ended(self, *, within: float) -> bool:
        """Whether the process ends within some seconds."""
        if self._descriptor < 0:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within * 1000))


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names, not paths


def _serves(pid: int, state: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    wanted = os.fsencode(state)
    return MODULE.encode() in words and (b"--state", wanted) in pairwise(words)


def _reap(pid: int) -> None:
    """Take a process off the table if it is a child of this one."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _config(state: Path) -> Path:
    return state / "config.json"


def _log_tail(state: Path) -> str:
    try:
        content = (state / "cloud.log").read_bytes()[-_LOG_TAIL_BYTES:]
    except FileNotFoundError:
        return "it left no log"
    return content.decode(errors="replace").strip() or "its log is empty"
