"""A pool of worker processes, kept warm, each with at most one attempt in flight.

Workers come from a fork server, which has imported what every step needs. Ending an attempt ends its worker:
SIGTERM, and SIGKILL to its whole process group when it is still there after the grace period.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from rallyflow.engine.attempt import Result, Task
from rallyflow.engine.vitals import Beat
from rallyflow.engine.worker import STOP, work
from rallyflow.model.ids import StepId
from rallyflow.model.step import Progress

SILENT = "silent"
"""Why an attempt is ended whose worker gives no sign of life."""
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
_PRELOAD = ["rallyflow.engine.worker", "pydantic", "rallyflow.model.values"]


@dataclass(slots=True)
class Worker:
    """One worker process, and what it does."""

    process: ForkServerProcess
    connection: Connection
    task: Task | None = None
    ending: str = ""  # why its attempt is being ended: timeout, cancelled or silent
    kill_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Died:
    """A worker ended without a result; `ending` says whether we wanted that, `exit_code` is negative for a signal."""

    ending: str
    exit_code: int


class Pool:
    """The workers of one run."""

    def __init__(self, directory: Path) -> None:
        """Make an empty pool; workers start when they are needed."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._directory = directory
        self._workers: list[Worker] = []

    def start(self, task: Task) -> None:
        """Give a task to an idle worker, or to a new one."""
        worker = next((worker for worker in self._workers if worker.task is None), None) or self._new()
        worker.task = task
        worker.connection.send(task)

    def _new(self) -> Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, os.getpid(), self._directory))
        process.start()
        theirs.close()
        worker = Worker(process, ours)
        self._workers.append(worker)
        return worker

    def connections(self) -> list[Connection]:
        """Return the pipes on which something may arrive."""
        return [worker.connection for worker in self._workers]

    def receive(self, connection: Connection) -> tuple[Task, Result | Progress | Beat | Died] | None:
        """Return the next message of a pipe with the task that it is about; None when it is about none."""
        worker = next(worker for worker in self._workers if worker.connection is connection)
        task = worker.task
        try:
            message: Result | Progress | Beat = connection.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        if task is None:
            return None
        if isinstance(message, Result):
            worker.task = None
            if worker.ending:
                ending = worker.ending
                self._bury(worker)
                return task, Died(ending, 0)
        return task, message

    def _bury(self, worker: Worker) -> tuple[Task, Died] | None:
        self._workers.remove(worker)
        self._kill(worker)
        worker.connection.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        return (worker.task, Died(worker.ending, code)) if worker.task is not None else None

    def _kill(self, worker: Worker) -> None:
        """End a worker and whatever is left of its process group."""
        pid = worker.process.pid
        if pid is None:
            return
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(pid, signal.SIGKILL)

    def stop(self, step: StepId) -> None:
        """Ask the attempt of a step to come to a safe point."""
        for worker in self._of(step):
            with contextlib.suppress(OSError):
                worker.connection.send(STOP)

    def end(self, step: StepId, ending: str) -> None:
        """End the attempt of a step: politely now, by force after the grace period; a silent one hears only force."""
        for worker in self._of(step):
            if worker.ending:
                continue
            worker.ending = ending
            if ending == SILENT:
                self._kill(worker)
                continue
            worker.kill_at = time.monotonic() + GRACE
            _send(worker.process.pid or 0, signal.SIGTERM)

    def next_kill(self) -> float | None:
        """Return when the grace period of some worker is over (monotonic seconds); None when none is ending."""
        return min((worker.kill_at for worker in self._workers if worker.kill_at), default=None)

    def kill_overdue(self) -> None:
        """Kill the workers whose grace period is over."""
        for worker in self._workers:
            if worker.kill_at and time.monotonic() >= worker.kill_at:
                worker.kill_at = 0.0
                self._kill(worker)

    def _of(self, step: StepId) -> Iterator[Worker]:
        return (worker for worker in self._workers if worker.task is not None and worker.task.step == step)

    def close(self) -> None:
        """End every worker: idle ones by closing their pipe, busy ones by force."""
        for worker in self._workers:
            if worker.task is not None:
                self._kill(worker)
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(GRACE)
            if worker.process.is_alive():
                self._kill(worker)
                worker.process.join()
        self._workers.clear()


def _send(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process group of a worker; to itself while it is so new that it leads none yet."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, number)
        except ProcessLookupError:
            continue
        return
