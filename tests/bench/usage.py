"""CPU time and peak memory, as the kernel counts them."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU and of wall time."""

    cpu: float
    wall: float

    def per(self, count: int) -> str:
        """Return in words what each of so many steps took."""
        return f"{self.cpu / count * 1e3:.3f} ms of CPU per step, wall {self.wall / count * 1e3:.3f} ms"


def stopwatch() -> Callable[[], Spent]:
    """Return what tells how much time has been spent since now."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    return lambda: Spent(cpu_seconds() - cpu, time.perf_counter() - wall)


def cpu_seconds() -> float:
    """Return the CPU time of this process, of all that it has waited for, and of all that descend from it and live.

    A worker of a fork server is nobody's whom we wait for: the server is one of the living, and its workers are its
    children. A process that dies between two calls has to be waited for by its parent, or its time is lost.
    """
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + reaped.ru_utime + reaped.ru_stime + sum(map(_of_living, _descendants()))


def peak_mib() -> float:
    """Return the most memory that this process has had since it was started, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _descendants() -> list[int]:
    parents = {pid: fields[1] for pid, fields in _processes()}
    found, todo = [], [os.getpid()]
    while todo:
        parent = str(todo.pop())
        children = [pid for pid, of in parents.items() if of == parent]
        found += children
        todo += children
    return found


def _processes() -> list[tuple[int, list[str]]]:
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [(pid, fields) for pid in pids if (fields := _stat(pid))]


def _of_living(pid: int) -> float:
    """Return seconds in user and kernel mode, and those of the children that it has waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's `stat` from the state on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
