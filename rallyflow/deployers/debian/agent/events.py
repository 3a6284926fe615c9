"""What the agent says: one JSON object a line, on its standard output, and how it ends when something fails."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TAIL = 15
_lock = threading.Lock()


class AgentError(Exception):
    """Something on this server can't be done; `log` is what the one that failed had said last."""

    def __init__(self, what: str, log: str = "", kind: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.log = log
        self.kind = kind


def say(event: str, **content: object) -> None:
    """Print one event; whole lines also when several threads speak."""
    line = json.dumps({"event": event, **content}) + "\n"
    with _lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def tail(path: Path, lines: int = _TAIL, since: int = 0) -> str:
    """Return the last lines of a file from the offset `since` on; empty when it can't be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since, size - 20000))
            found = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(found[-lines:])


def call(command: Sequence[str], *, timeout: float, text: str = "", **options: Any) -> str:
    """Run a command to its end and return what it printed; `text` is its input.

    Raises AgentError, with the end of what it said, when it fails or takes too long.
    """
    try:
        done = subprocess.run(
            list(command), input=text, capture_output=True, text=True, timeout=timeout, check=False, **options
        )
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"{command[0]} took longer than {timeout:.0f}s", _said(error.stderr)) from error
    except OSError as error:
        raise AgentError(f"{command[0]} can't be run: {error}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-_TAIL:]
        raise AgentError(f"{' '.join(command[:3])} ended with exit code {done.returncode}", "\n".join(said))
    return str(done.stdout)


def _said(output: object) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else str(output or "")
    return "\n".join(text.splitlines()[-_TAIL:])
