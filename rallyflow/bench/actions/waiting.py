"""Waits for what a cloud does in its own time, without loading it and without adding much to the measurement.

The next look comes after a tenth of the time waited so far, between 30 ms and 1 s: so the end of a wait is
known to about 10 %, and the interval that bounds the error is recorded with the action.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rallyflow.clouds.transport import meter
from rallyflow.errors import TimedOut

FIRST = 0.03
LONGEST = 1.0
SHARE = 0.1

FoundT = TypeVar("FoundT")


def wait_for(look: Callable[[], FoundT | None], *, what: str, timeout: float) -> FoundT:
    """Call `look` until it returns something, and return that; TimedOut after `timeout` seconds.

    `what` completes the sentence "waited for ...".
    """
    started = time.perf_counter()
    counts = meter()
    while True:
        interval = min(LONGEST, max(FIRST, (time.perf_counter() - started) * SHARE))
        time.sleep(interval)
        counts.poll_ns = int(interval * 1e9)
        found = look()
        if found is not None:
            return found
        if time.perf_counter() - started > timeout:
            raise TimedOut(f"waited {timeout:.0f} s for {what}")
