"""Processes that end with the process that they work for, however that one ended."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path


def when_gone(pid: int, then: Callable[[], None]) -> None:
    """Call `then` from a daemon thread as soon as process `pid` has ended; at once when it has already.

    Linux tells at the instant of death through a pidfd, whatever the process died of.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        then()
        return

    def wait() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        then()

    threading.Thread(target=wait, name=f"guardian-{pid}", daemon=True).start()


def die_with(pid: int) -> None:
    """Make this process, and its process group if it leads one, end with process `pid`."""

    def end() -> None:
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    when_gone(pid, end)


def alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123 - procfs
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


ALIVE = "alive.lock"
"""The file in a run's folder that every process acting for the run holds a shared lock on."""


def act_for(directory: Path) -> None:
    """Say, until this process ends, that it acts for the run in this folder."""
    descriptor = os.open(directory / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)


_held: list[int] = []
