"""Work that goes on after an API call has answered: it passes the message bus, then a worker of its stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from rallyflow.clouds.embedded.speed import Speed
from rallyflow.clouds.embedded.stages import Stage, randomness, sampler
from rallyflow.clouds.embedded.timers import Later, call_at


class Work(StrEnum):
    """What can be done in the background."""

    BUILD = "build"
    DELETE = "delete"
    SNAPSHOT = "snapshot"
    ACTION = "action"
    VOLUME = "volume"


class Conductor:
    """Takes work, and calls back when it is done.

    What is under way is lost with the process; the rows say what has to be started again.
    """

    def __init__(self, speed: Speed, seed: int, later: Later) -> None:
        compute, rpc, storage = speed.compute, speed.rpc, speed.storage
        self.rpc = Stage(rpc.workers)
        self.compute = Stage(compute.workers)
        self.storage = Stage(storage.workers)
        times = {
            Work.BUILD: compute.build,
            Work.DELETE: compute.delete,
            Work.SNAPSHOT: compute.snapshot,
            Work.ACTION: compute.action,
            Work.VOLUME: storage.time,
        }
        self._times = {work: sampler(times[work], randomness(seed, work)) for work in Work}
        self._rpc_time = sampler(rpc.time, randomness(seed, "rpc"))
        self._calls = {Work.BUILD: rpc.calls_per_build, Work.DELETE: rpc.calls_per_build}
        self._failures = speed.failure_rate
        self._luck = randomness(seed, "failures")
        self._later = later

    def start(self, work: Work, done: Callable[[], None], *, entered: Callable[[], None] | None = None) -> None:
        """Begin some work; `entered` is called when a worker's stage is reached, `done` at the end."""
        self._pass_bus(work, self._calls.get(work, 0), time.monotonic(), done, entered)

    def fails(self, work: Work) -> bool:
        """Draw whether work that is done has failed."""
        rate = self._failures.get(work, 0.0)
        return rate > 0 and self._luck.random() < rate

    def _pass_bus(
        self, work: Work, calls: int, at: float, done: Callable[[], None], entered: Callable[[], None] | None
    ) -> None:
        """Make one call on the bus, then the others; `at` is the computed time, which timers only follow."""
        if calls:
            finish = self.rpc.book(at, self._rpc_time())
            call_at(self._later, finish, self._pass_bus, work, calls - 1, finish, done, entered)
            return
        if entered:
            entered()
        stage = self.storage if work is Work.VOLUME else self.compute
        call_at(self._later, stage.book(at, self._times[work]()), done)
