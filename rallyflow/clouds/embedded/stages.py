"""Queues in virtual time: when a job that arrives now will be done, given everything that came before it.

The times are computed, not awaited, so they do not depend on how punctually the process wakes up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapreplace
from random import Random

from rallyflow.clouds.embedded.speed import Latency

Sampler = Callable[[], float]
"""Draws one service time in seconds, never negative."""


class Stage:
    """Some workers behind one first-come-first-served queue."""

    __slots__ = ("_free",)

    def __init__(self, workers: int) -> None:
        self._free = [0.0] * workers  # a heap: when each worker has done all that is booked

    def book(self, arrival: float, duration: float) -> float:
        """Return when a job is done that arrives at `arrival` and takes a worker for `duration` seconds."""
        start = max(arrival, self._free[0])
        heapreplace(self._free, start + duration)
        return start + duration


def randomness(seed: int, stage: str) -> Random:
    """Return the source of randomness of one stage: its own, so that stages don't disturb each other."""
    return Random(f"{seed}:{stage}")  # noqa: S311 - times are drawn with it, no secrets


def sampler(latency: Latency, random: Random) -> Sampler:
    """Return a function that draws from `latency` with the given source of randomness."""
    mean, deviation = latency.mean, latency.mean * latency.spread
    if latency.distribution == "exponential" and mean:
        return lambda: random.expovariate(1 / mean)
    if not deviation or latency.distribution in ("constant", "exponential"):
        return lambda: mean
    if latency.distribution == "uniform":
        low, high = max(0.0, mean - deviation), mean + deviation
        return lambda: random.uniform(low, high)
    if latency.distribution == "normal":
        return lambda: max(0.0, random.gauss(mean, deviation))
    variance = math.log(1 + latency.spread**2)
    location, scale = math.log(mean) - variance / 2, math.sqrt(variance)
    return lambda: random.lognormvariate(location, scale)
