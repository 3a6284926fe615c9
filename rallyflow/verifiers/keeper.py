"""Runs one command so that it, and all that it starts, ends with the process that wanted it.

`python -m rallyflow.verifiers.keeper GUARDIAN DIRECTORY COMMAND...` leads a process group, in which the command is.
When the process GUARDIAN is gone, whatever it died of, the group is killed. As long as the command runs, this process
acts for the run in DIRECTORY, so that nobody takes the run for ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from rallyflow.processes import act_for, die_with

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command; its exit code, 128 and the signal's number, or 127 when it can't be started."""
    guardian, directory, *command = sys.argv[1:]
    die_with(int(guardian))
    act_for(Path(directory))
    for number in (signal.SIGINT, signal.SIGTERM):  # the command decides what it does about these
        signal.signal(number, lambda _number, _frame: None)
    libc = ctypes.CDLL(None)
    try:
        process = subprocess.Popen(command, preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))  # noqa: PLW1509 - one thread sleeps in poll
    except OSError as error:
        sys.stderr.write(f"{command[0]} can't be started: {error.strerror}\n")
        return 127
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main())
