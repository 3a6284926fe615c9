"""Processes that end with the process that they work for, however that one ended."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
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


def identity() -> str:
    """Return what tells this process from any other, on any machine and at any time."""
    return json.dumps(
        {"host": socket.gethostname(), **_place(), "pid": os.getpid(), "started": _started(os.getpid())}, sort_keys=True
    )


def lives(identity: str) -> bool | None:
    """Whether the process of an `identity` still lives, perhaps stopped; None where that can't be known from here."""
    other = json.loads(identity)
    if other["host"] != socket.gethostname():
        return None
    here = _place()
    if other["boot"] != here["boot"]:
        return False
    if other["namespace"] != here["namespace"]:
        return None
    return alive(other["pid"]) and _started(other["pid"]) == other["started"]


def _place() -> dict[str, str]:
    """Return where process ids have the same meaning: since this boot of the machine, in this namespace."""
    return {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        "namespace": str(Path("/proc/self/ns/pid").readlink()),
    }


def _started(pid: int) -> int:
    """Return when a process was started, in ticks since the boot; 0 when there is none."""
    try:
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, IndexError):
        return 0


ALIVE = "alive.lock"
"""The file in a run's folder that every process acting for the run holds a shared lock on."""


def act_for(directory: Path) -> None:
    """Say, until this process ends, that it acts for the run in this folder."""
    descriptor = os.open(directory / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)


def is_acted_for(directory: Path) -> bool:
    """Whether some process, perhaps of an engine that has died, still acts for the run in this folder."""
    try:
        descriptor = os.open(directory / ALIVE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


_held: list[int] = []
