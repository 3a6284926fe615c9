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
from typing import TypedDict

from rallyflow.errors import RunLocked, TransientError
from rallyflow.model.ids import RunId
from rallyflow.processes import ALIVE, is_acted_for

ENGINE = "engine.lock"
_A_LOOK = 0.1  # seconds, and far more than `is_live` takes


class Owner(TypedDict, total=False):
    """Who has the lock of a run, as it stands in the file; `user` is another run that uses what this one has left."""

    pid: int
    host: str
    since: float
    user: RunId | None


class RunLock:
    """The right to be the engine of a run, from `take` to `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Name the run by its folder; nothing is locked yet."""
        self._path = directory / ENGINE
        self._descriptor = -1

    def take(self, user: RunId | None = None) -> None:
        """Take the lock; RunLocked, with who has it, when another process lives that has it.

        `user` is another run that uses what this one has left, and keeps everybody else away from it meanwhile.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _try(descriptor):
            owner = _owner(descriptor)
            os.close(descriptor)
            run = self._path.parent.name
            working = owner.get("user") or run
            what = "works on" if working == run else f"works on the run {working}, which uses"
            raise RunLocked(
                f"another process {what} the run {run}: {_describe(owner)}",
                hint=f"follow it with `rallyflow watch {working}`, or stop it with `rallyflow cancel {working}`",
            ) from None
        os.ftruncate(descriptor, 0)
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "user": user}
        os.write(descriptor, json.dumps(owner).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)  # whoever is next has not written yet when others look
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
    """Whether a live process has to do with the run in this folder: it is its engine, or uses what the run has left."""
    return _holder(directory) is not None


def is_worked_on(directory: Path) -> bool:
    """Whether a live process is the engine of the run in this folder."""
    holder = _holder(directory)
    return holder is not None and not holder.get("user")


def _holder(directory: Path) -> Owner | None:
    """Return who has the lock of a run; None when nobody has."""
    try:
        descriptor = os.open(directory / ENGINE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor)
    finally:
        os.close(descriptor)
    return None


def wait_for_the_dead(directory: Path, seconds: float = 15.0) -> None:
    """Wait until no process of an earlier session acts for the run any more; TransientError when one goes on."""
    deadline = time.monotonic() + seconds
    while is_acted_for(directory):
        if time.monotonic() > deadline:
            raise TransientError(
                f"a process of an earlier session still acts for the run {directory.name}",
                hint=f"look for it with `fuser {directory / ALIVE}`",
            )
        time.sleep(0.02)


def _owner(descriptor: int) -> Owner:
    """Return who has taken a lock, as it has written; nothing when it has not got that far."""
    try:
        owner: Owner = json.loads(os.read(descriptor, 4096))
    except ValueError:
        return {}
    return owner


def _describe(owner: Owner) -> str:
    if not owner:
        return "just started"
    since = time.strftime("%H:%M:%S", time.localtime(owner["since"]))
    return f"process {owner['pid']} on {owner['host']}, since {since}"
