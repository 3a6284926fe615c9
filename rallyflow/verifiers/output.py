"""Keeps what a program prints in the log of its step: all, unless it is so much that it might fill the disk."""

from __future__ import annotations

from logging import Logger
from threading import Lock

MOST = 64 * 1024 * 1024
"""Bytes of a program's own output that a log keeps."""
_FRAME = 100  # bytes that a log adds to each line, about


class OutputLog:
    """Writes lines to a log up to `most` bytes, then one that says so, and then none; threads may share it."""

    def __init__(self, log: Logger, most: int = MOST) -> None:
        self._log = log
        self._most = most
        self._left = most
        self._lock = Lock()

    def line(self, text: str) -> None:
        """Write a line, without its end."""
        with self._lock:
            if self._left <= 0:
                return
            self._left -= len(text.encode(errors="replace")) + _FRAME
            self._log.info("%s", text)
            if self._left <= 0:
                self._log.warning("this is more than %d MiB: what else it prints is dropped", self._most >> 20)
