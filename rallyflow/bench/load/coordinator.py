"""Starts the load processes, books the parts that they write, and watches them. No iteration passes here."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from threading import Event
from typing import Any

import orjson

from rallyflow import errors
from rallyflow.bench.load.plan import Plan, Shard
from rallyflow.bench.load.watermark import Rest
from rallyflow.errors import StepError, WorkerDied
from rallyflow.model.step import PartBook, Progress

_LOOK = 0.2
_READY_TIMEOUT = 120.0  # seconds without a sign of life while the load processes sign their users in


@dataclass(slots=True)
class LoadResult:
    """How a load ended. `busy` is the CPU of the load processes as a fraction of one core each."""

    interrupted: bool
    iterations: int
    failed: int
    wall: float  # seconds, of the longest-running process
    cpu: float  # seconds, of all processes together
    busy: float


@dataclass(slots=True)
class _Process:
    """A load process as its parent sees it."""

    number: int
    popen: subprocess.Popen[bytes]
    ready: bool = False
    finished: bool = False
    ended: bool = False
    iterations: int = 0
    failed: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    lines: list[str] = field(default_factory=list)  # the last that it wrote to standard error
    readers: list[threading.Thread] = field(default_factory=list)

    def send(self, command: str) -> None:
        """Send a command; a process that has ended already does not mind."""
        assert self.popen.stdin is not None  # noqa: S101 - it was started with a pipe
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.write(f"{command}\n".encode())
            self.popen.stdin.flush()

    def end(self) -> None:
        """Kill the process if it still lives, and close its pipes."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        for reader in self.readers:
            reader.join()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def deal(rest: Rest, concurrency: int, cores: int) -> list[Shard]:
    """Return one shard per process: as many as cores, no more than iterations at once, none without work."""
    width = min(concurrency, rest.count) if rest.seconds is None else concurrency
    processes = max(1, min(cores, width))
    return [
        Shard(number, tuple(range(number, width, processes)), width, rest.ranges, rest.seconds)
        for number in range(processes)
    ]


class Coordinator:
    """Runs one load to its end, its stop, or its failure."""

    def __init__(
        self,
        plans: Sequence[Plan],
        *,
        parts: PartBook,
        stop: Event,
        report: Callable[[Progress], None],
        log: Logger,
        rest: Rest,
    ) -> None:
        self._plans = plans
        self._parts = parts
        self._stop = stop
        self._report = report
        self._log = log
        self._rest = rest
        self._messages: queue.Queue[tuple[_Process, dict[str, Any] | None]] = queue.Queue()
        self._processes: list[_Process] = []
        self._failure: StepError | errors.StorageError | None = None
        self._interrupted = False
        self._said = 0.0
        self._started = time.perf_counter()

    def run(self) -> LoadResult:
        """Run the load.

        Raises WorkerDied when a load process was lost before its shard was done, and what a load process
        could not go on after (DiskFull, CloudRefused, ...). What was booked by then stays booked.
        """
        try:
            self._processes = [self._start(plan) for plan in self._plans]
            self._until(lambda: all(p.ready or p.ended for p in self._processes), timeout=_READY_TIMEOUT)
            if self._failure is None and not self._interrupted:
                self._tell_all("go")
            self._started = time.perf_counter()
            self._until(lambda: all(p.ended for p in self._processes))
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure
        return self._result()

    def _start(self, plan: Plan) -> _Process:
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "rallyflow.bench.load.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        process = _Process(plan.shard.process, popen)
        for name, target in (("messages", self._read_messages), ("log", self._read_log)):
            reader = threading.Thread(target=target, args=(process,), name=f"load-{name}", daemon=True)
            reader.start()
            process.readers.append(reader)
        process.send(plan.to_json().decode())
        return process

    def _read_messages(self, process: _Process) -> None:
        assert process.popen.stdout is not None  # noqa: S101 - it was started with a pipe
        for line in process.popen.stdout:
            self._messages.put((process, orjson.loads(line)))
        self._messages.put((process, None))

    def _read_log(self, process: _Process) -> None:
        assert process.popen.stderr is not None  # noqa: S101 - it was started with a pipe
        for line in process.popen.stderr:
            text = line.decode(errors="replace").rstrip()
            process.lines = [*process.lines[-4:], text]
            self._log.warning("load process %d: %s", process.number, text)

    def _until(self, condition: Callable[[], bool], *, timeout: float | None = None) -> None:
        """Take messages until a condition holds; TransientError when none has come for `timeout` seconds."""
        deadline = time.perf_counter() + timeout if timeout else None
        while not condition():
            if self._stop.is_set() and not self._interrupted:
                self._interrupted = True
                self._tell_all("stop")
            if deadline and time.perf_counter() > deadline:
                raise errors.TransientError(f"the load processes gave no sign of life for {timeout:.0f} s")
            try:
                process, message = self._messages.get(timeout=_LOOK)
            except queue.Empty:
                continue
            self._take(process, message)
            deadline = time.perf_counter() + timeout if timeout else None

    def _take(self, process: _Process, message: dict[str, Any] | None) -> None:
        if message is None:
            self._take_end(process)
            return
        process.ready = process.ready or "ready" in message
        if "signed_in" in message:
            note = f"load process {process.number}: {message['signed_in']} of {message['users']} users signed in"
            self._report(Progress(note=note))
        if "parts" in message:
            self._book(message["parts"])
        if "progress" in message:
            process.iterations, process.failed = message["progress"], message["failed"]
            self._say()
        if "error" in message:
            given = message["error"]
            self._fail(getattr(errors, given["type"], StepError)(given["what"], hint=given["hint"]))
        if "done" in message:
            process.finished, process.cpu, process.wall = True, message["cpu"], message["wall"]

    def _take_end(self, process: _Process) -> None:
        process.ended = True
        code = process.popen.wait()
        if not process.finished and self._failure is None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._fail(
                WorkerDied(
                    f"load process {process.number} {how} before its share of the load was done",
                    hint=" | ".join(process.lines) or "out of memory? what was measured so far is kept",
                )
            )

    def _book(self, parts: list[list[Any]]) -> None:
        try:
            self._parts.add([(table, Path(path), rows) for table, path, rows in parts])
        except errors.StorageError as error:
            self._fail(error)

    def _fail(self, failure: StepError | errors.StorageError) -> None:
        """Keep the first failure, and let the other processes finish what they have begun."""
        if self._failure is None:
            self._failure = failure
            self._tell_all("stop")

    def _tell_all(self, command: str) -> None:
        for process in self._processes:
            if not process.ended:
                process.send(command)

    def _say(self) -> None:
        now = time.perf_counter()
        if now - self._said < _LOOK:
            return
        self._said = now
        done = self._rest.measured + sum(p.iterations for p in self._processes)
        failed = self._rest.failed + sum(p.failed for p in self._processes)
        note = f"{done} iterations, {failed} failed" if failed else f"{done} iterations"
        if self._rest.seconds is None:
            self._report(Progress(done, self._rest.measured + self._rest.count, note))
        else:
            self._report(Progress(min(now - self._started, self._rest.seconds), self._rest.seconds, note))

    def _end(self) -> None:
        """Leave no process behind, whatever happened."""
        for process in self._processes:
            process.end()

    def _result(self) -> LoadResult:
        wall = max(p.wall for p in self._processes)
        cpu = sum(p.cpu for p in self._processes)
        return LoadResult(
            interrupted=self._interrupted,
            iterations=sum(p.iterations for p in self._processes),
            failed=sum(p.failed for p in self._processes),
            wall=wall,
            cpu=cpu,
            busy=max((p.cpu / p.wall for p in self._processes if p.wall), default=0.0),
        )
