"""Ctrl-C in three stages: come to a safe point; cancel and undo; leave at once. SIGTERM counts as well.

A terminal that goes away is the first stage.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rallyflow.engine.messages import Stop


class LeaveNow(BaseException):
    """Asked for the third time: end this process without waiting for anything."""


class Signals:
    """Counts requests to stop, and makes a descriptor readable when one came."""

    def __init__(self, told: Callable[[Stop], None] = lambda _stop: None) -> None:
        """`told` is called from the signal handler with the stage that was reached."""
        self.descriptor, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._count = 0
        self._told = told

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle SIGINT, SIGTERM and, unless it is ignored as `nohup` wants it, SIGHUP inside the block."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def take(self) -> Stop:
        """Return the stage that was reached, and make the descriptor unreadable until the next request."""
        while True:
            try:
                os.read(self.descriptor, 64)
            except BlockingIOError:
                return Stop(min(self._count, int(Stop.NOW)))

    def ask(self, stop: Stop) -> Stop:
        """Count a request that came in another way; returns the stage that was reached."""
        if stop > self._count:
            self._count = int(stop)
            self._told(stop)
        return self.take()

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        """The terminal has gone away: nobody is there to see the run any more, and it can be resumed."""
        if self._count < int(Stop.SAFELY):
            self._on_signal(_number, _frame)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > int(Stop.NOW):
            raise LeaveNow
        self._told(Stop(self._count))
        os.write(self._writer, b"!")
