"""The worker process: takes tasks from its pipe, one at a time, and ends as soon as its engine does.

It leads a process group of its own, so that whatever a step starts can be stopped with it, and writes everything
that a step prints or logs to the attempt's log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from rallyflow.engine.attempt import Result, Task, perform
from rallyflow.engine.masking import output_to
from rallyflow.engine.metering import Meter
from rallyflow.engine.vitals import BEAT, Beat
from rallyflow.journal.store import Journal
from rallyflow.masking import Mask
from rallyflow.model.states import StepState
from rallyflow.model.step import Progress
from rallyflow.processes import act_for, die_with

STOP = "stop"
_REPORT_EVERY = 0.1  # seconds
_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"
_TIMES = "%Y-%m-%dT%H:%M:%S"


class _Ended(BaseException):
    """Raised in the step's thread when the engine wants the attempt to end at once."""


def work(connection: Connection, guardian: int, directory: Path) -> None:
    """Serve tasks until the engine closes the pipe."""
    os.setpgid(0, 0)
    _keep_descriptors()
    die_with(guardian)
    act_for(directory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_read, args=(connection, tasks, stop), name="pipe", daemon=True).start()
    journals: dict[Path, Journal] = {}
    sending = threading.Lock()
    pulse = _Pulse(connection, sending)
    while (task := tasks.get()) is not None:
        with _logging_to(task), pulse.of_attempt() as meter:
            result = _perform(task, journals, stop, _Reporter(connection, sending), meter)
        stop.clear()
        with sending, contextlib.suppress(BrokenPipeError):
            connection.send(result)


def _keep_descriptors() -> None:
    """Hand no descriptor on to what steps start: only then does the engine see the pipe end with this process."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with contextlib.suppress(OSError):  # the one that listed the folder
            os.set_inheritable(int(name), int(name) <= 2)


def _perform(
    task: Task, journals: dict[Path, Journal], stop: threading.Event, report: _Reporter, meter: Meter
) -> Result:
    try:
        if task.journal not in journals:
            journals[task.journal] = Journal(task.journal)
        return perform(task, journals[task.journal], stop, report, meter)
    except _Ended:
        return Result(StepState.CANCELLED, reason="ended by the engine")


class _Pulse:
    """A thread that tells the engine, as long as an attempt is in flight, that this process lives, and what it uses."""

    def __init__(self, connection: Connection, sending: threading.Lock) -> None:
        self._connection = connection
        self._sending = sending
        self._meter: Meter | None = None
        self._busy = threading.Event()
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    @contextlib.contextmanager
    def of_attempt(self) -> Iterator[Meter]:
        """Beat inside the block; gives what measures the attempt."""
        self._meter = Meter()
        self._busy.set()
        try:
            yield self._meter
        finally:
            self._busy.clear()

    def _beat(self) -> None:
        while self._busy.wait():
            time.sleep(BEAT)
            meter = self._meter
            if meter is not None and self._busy.is_set():
                beat = Beat(*meter.sample())
                with self._sending, contextlib.suppress(OSError):
                    self._connection.send(beat)


class _Reporter:
    """Sends progress to the engine, at most ten times a second."""

    def __init__(self, connection: Connection, sending: threading.Lock) -> None:
        self._connection = connection
        self._sending = sending
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _REPORT_EVERY
        with self._sending, contextlib.suppress(BrokenPipeError):
            self._connection.send(progress)


def _read(connection: Connection, tasks: queue.SimpleQueue[Task | None], stop: threading.Event) -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            tasks.put(None)
            return
        if message == STOP:
            stop.set()
        else:
            tasks.put(message)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise _Ended


@contextlib.contextmanager
def _logging_to(task: Task) -> Iterator[None]:
    """Send what the step logs and prints, also from child processes, to the attempt's log."""
    if task.log is None:
        yield
        return
    task.log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(task.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(_FORMAT, _TIMES))
    root = logging.getLogger()
    with output_to(descriptor, Mask(task.secrets)):
        root.addHandler(handler)
        logging.getLogger("rallyflow").setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(handler)
            sys.stdout.flush()
            sys.stderr.flush()


class _Formatter(logging.Formatter):
    """Formats times in UTC."""

    converter = staticmethod(time.gmtime)
