"""Who works on a run: locks of the kernel, which vanish with the processes that hold them, however those end.

`engine.lock` is held exclusively by the one engine of a run; `alive.lock` is shared by every process that acts for
it. Nothing ever has to be unlocked by hand.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path

from rallyflow.errors import RunLocked, TransientError
from rallyflow.processes import ALIVE

ENGINE = "engine.lock"
_A_LOOK = 0.1  # seconds, and far more than `is_live` takes


class RunLock:
    """The right to be the engine of a run, from `take` to `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Name the run by its folder; nothing is locked yet."""
        self._path = directory / ENGINE
        self._descriptor = -1

    def take(self) -> None:
        """Take the lock; RunLocked, with who has it, when another process lives that has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _try(descriptor):
            owner = os.read(descriptor, 4096).decode(errors="replace")
            os.close(descriptor)
            run = self._path.parent.name
            raise RunLocked(
                f"another process works on the run {run}: {_describe(owner)}",
                hint=f"follow it with `rallyflow watch {run}`, or stop it with `rallyflow cancel {run}`",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(
            descriptor,
            json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}).encode(),
        )
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _try(descriptor: int) -> bool:
    """Take the lock if it is free; who only looks whether it is has it for an instant, and that is waited for."""
    deadline = time.monotonic() + _A_LOOK
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def is_live(directory: Path) -> bool:
    """Whether a live process is the engine of the run in this folder."""
    try:
        descriptor = os.open(directory / ENGINE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def wait_for_the_dead(directory: Path, seconds: float = 15.0) -> None:
    """Wait until no process of an earlier session acts for the run any more; TransientError when one goes on."""
    descriptor = os.open(directory / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"a process of an earlier session still acts for the run {directory.name}",
                        hint=f"look for it with `fuser {directory / ALIVE}`",
                    ) from None
                time.sleep(0.02)
            else:
                return
    finally:
        os.close(descriptor)


def _describe(owner: str) -> str:
    try:
        data = json.loads(owner)
    except ValueError:
        return "just started"
    since = time.strftime("%H:%M:%S", time.localtime(data["since"]))
    return f"process {data['pid']} on {data['host']}, since {since}"
