"""What an attempt uses: CPU and memory of its worker and of all processes that descend from it."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Container
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FORGET_PEAK = "5"
"""What Linux takes, in /proc/PID/clear_refs, as the wish to begin anew with the peak of resident memory."""


class Meter:
    """Measures this process, and what descends from it, from one moment on."""

    def __init__(self, *, memory: bool = True) -> None:
        """Begin now. Without `memory` only the CPU of this process is measured, which costs next to nothing."""
        self._memory = memory
        self._began = spent()
        self._peak = 0
        self._children_before = 0
        self._others: frozenset[int] = frozenset()  # that an earlier attempt has left running, such as a cloud
        if memory:
            self._others = frozenset(descendants(os.getpid()))
            self._children_before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")

    def sample(self) -> tuple[float, int]:
        """Return seconds of CPU since the beginning, and bytes of resident memory now, of all processes together."""
        living = descendants(os.getpid(), self._others)
        used = [_used(pid) for pid in living]
        memory = sum(held for _, held in used) + _used(os.getpid())[1]
        self._peak = max(self._peak, memory)
        return spent() - self._began + sum(cpu for cpu, _ in used), memory

    def total(self) -> tuple[float, int]:
        """Return seconds of CPU since the beginning, and the most bytes of resident memory that were seen at a time."""
        if not self._memory:
            return spent() - self._began, 0
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        largest_child = children * 1024 if children > self._children_before else 0
        return spent() - self._began, max(self._peak, own_peak(), largest_child)


def spent() -> float:
    """Return seconds of CPU of this process and of the children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def own_peak() -> int:
    """Return the most bytes of resident memory that this process had since its peak was last forgotten."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def descendants(pid: int, others: Container[int] = ()) -> list[int]:
    """Return the living processes that descend from one, as far as the kernel tells, but for others and theirs."""
    found: list[int] = []
    todo = [pid]
    while todo:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{todo.pop()}/task").iterdir():
                with contextlib.suppress(OSError):
                    words = (thread / "children").read_text(encoding="ascii").split()
                    children = [int(word) for word in words if int(word) not in others]
                    found += children
                    todo += children
    return found


def _used(pid: int) -> tuple[float, int]:
    """Return seconds of CPU and bytes of resident memory of a process, with its ended children; zeros for none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return sum(map(int, fields[11:15])) / _TICKS, int(fields[21]) * _PAGE
