"""Watches what a load process itself uses, because a busy generator measures itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter_ns, process_time_ns
from typing import Any

from rallyflow.bench.load.owner import Owner

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Return the memory that this process has resident."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - procfs
        return int(statm.read().split()[1]) * _PAGE


class Usage:
    """Samples of this process's CPU (as a fraction of one core) and memory (bytes)."""

    def __init__(self) -> None:
        self.started_ns = self._at = perf_counter_ns()
        self._cpu_at_start = self._cpu = process_time_ns()
        self._samples: list[tuple[str, int, float]] = []

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self) -> None:
        """Take a sample over the time since the last one."""
        at, cpu = perf_counter_ns(), process_time_ns()
        if at == self._at:
            return
        self._samples.append(("cpu", at, (cpu - self._cpu) / (at - self._at)))
        self._samples.append(("rss_bytes", at, float(resident_bytes())))
        self._at, self._cpu = at, cpu

    def total(self) -> tuple[float, float]:
        """Return CPU seconds and wall seconds since the start."""
        wall = (perf_counter_ns() - self.started_ns) / 1e9
        return (process_time_ns() - self._cpu_at_start) / 1e9, wall

    def take(self, owner: Owner, process: int, offset_ns: int) -> Mapping[str, Any]:
        """Return the columns of the table `telemetry` for the samples not taken before."""
        samples, self._samples = self._samples, []
        return owner.columns(len(samples)) | {
            "source": [f"generator:{process}"] * len(samples),
            "metric": [metric for metric, _, _ in samples],
            "at_ns": [at + offset_ns for _, at, _ in samples],
            "value": [value for _, _, value in samples],
        }
