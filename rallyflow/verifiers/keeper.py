"""Runs one command so that it, and all that it starts, ends with the process that wanted it.

`python -m rallyflow.verifiers.keeper GUARDIAN DIRECTORY COMMAND...` leads a process group, in which the command is.
When the command ends, at END, or when the process GUARDIAN is gone, whatever it died of, all that is left is killed:
what has left the group, such as a daemon, has become a child of this process. As long as the command runs, this process
acts for the run in DIRECTORY, so that nobody takes the run for ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from rallyflow.processes import act_for, when_gone

END = signal.SIGUSR1
"""The signal that makes it kill everything, itself as the last."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ENDING = 2.0  # seconds that everything may take to be gone
_LOOK = 0.01


def main() -> int:
    """Run the command; its exit code, 128 and the signal's number, or 127 when it can't be started."""
    guardian, directory, *command = sys.argv[1:]
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(END, lambda _number, _frame: _end())
    when_gone(int(guardian), _end)
    act_for(Path(directory))
    for number in (signal.SIGINT, signal.SIGTERM):  # the command decides what it does about these
        signal.signal(number, lambda _number, _frame: None)
    try:
        process = subprocess.Popen(command, preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))  # noqa: PLW1509 - one thread sleeps in poll
    except OSError as error:
        sys.stderr.write(f"{command[0]} can't be started: {error.strerror}\n")
        return 127
    code = process.wait()
    _end_children()
    return code if code >= 0 else 128 - code


def _end() -> NoReturn:
    _end_children()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(128 + signal.SIGKILL)


def _end_children() -> None:
    """Kill all children, and theirs, which become ours by that."""
    deadline = time.monotonic() + _ENDING
    while (children := _children()) and time.monotonic() < deadline:
        for child in children:
            with contextlib.suppress(OSError):  # it has ended by itself, or is not ours to kill
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(child, os.WNOHANG)
        time.sleep(_LOOK)


def _children() -> list[int]:
    found: list[int] = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended, or this kernel does not say
            found += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found


if __name__ == "__main__":
    os._exit(main())
