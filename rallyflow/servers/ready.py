"""Waits until a server is ready: until a real command has answered. A port that listens says nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from rallyflow.errors import CommandTimedOut, LoginRefused, StepError, TransientError
from rallyflow.servers.machine import Machine
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.units import format_duration

_ANSWER = 30.0  # seconds that one command may take


def wait_until_ready(
    machine: Machine,
    *,
    timeout: float,
    interval: float = 1.0,
    wait: Callable[[float], object] = time.sleep,
    booting: bool = True,
) -> None:
    """Return as soon as the server has run a command.

    While a server is `booting`, a refused login counts as not ready yet: its user and key may only just be made.
    A wrong host key is never waited for. `wait` waits between two looks. Raises the last error after `timeout` seconds.
    """
    patient_until = time.monotonic() + timeout
    while True:
        try:
            if machine.run("true", timeout=_ANSWER).exit_code == 0:
                return
            error: StepError = TransientError(f"{machine.whose} can't even run `true`")
        except (TransientError, CommandTimedOut, LoginRefused) as found:
            if isinstance(found, LoginRefused) and not booting:
                raise
            error = found
        if time.monotonic() + interval > patient_until:
            error.what = f"{error.what} (waited {format_duration(timeout)})"
            raise error
        machine.close()
        wait(interval)
        if machine.stopped():
            raise StoppedError
