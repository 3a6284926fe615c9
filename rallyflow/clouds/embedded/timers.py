"""Timers that never fire too early: a moment is one of `time.monotonic()`, in seconds.

uvloop rounds a delay to the nearest millisecond, and adds it to a clock that libuv cuts to milliseconds: a timer
can fire 1.5 ms too early. So a timer that was early is set again, until its moment has come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Later(Protocol):
    """Calls something after a number of seconds, as an event loop does."""

    def __call__(self, delay: float, callback: Callable[..., None], *args: object) -> object:
        """Schedule the call."""


async def wait_until(moment: float) -> None:
    """Return when the moment has come."""
    while (left := moment - time.monotonic()) > 0:  # noqa: ASYNC110 - it waits for the clock, which sets no event
        await asyncio.sleep(left)


def call_at(later: Later, moment: float, callback: Callable[..., None], *args: object) -> None:
    """Call back when the moment has come, and not before this function has returned."""
    later(max(0.0, moment - time.monotonic()), _call, later, moment, callback, *args)


def _call(later: Later, moment: float, callback: Callable[..., None], *args: object) -> None:
    if time.monotonic() < moment:
        call_at(later, moment, callback, *args)
    else:
        callback(*args)
