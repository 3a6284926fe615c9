"""The output of a command: passed on line by line while it comes, and its end kept, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

KEPT_LINES = 1000
KEPT_BYTES = 1 << 18
LONGEST_LINE = 1 << 16  # bytes; a longer one is passed on in pieces

Sink = Callable[[bytes], None]
"""Takes what a command prints, in pieces as they come."""


class Lines:
    """Cuts bytes into lines, gives each to `each`, and keeps the last of them."""

    def __init__(self, each: Callable[[str], None] = lambda _line: None) -> None:
        self._each = each
        self._begun = b""
        self._kept: deque[str] = deque()
        self._bytes = 0

    def __call__(self, data: bytes) -> None:
        """Take the next bytes."""
        *whole, self._begun = (self._begun + data).split(b"\n")
        for line in whole:
            self._take(line)
        while len(self._begun) > LONGEST_LINE:
            self._take(self._begun[:LONGEST_LINE])
            self._begun = self._begun[LONGEST_LINE:]

    def close(self) -> None:
        """Take a last line without a line end as well."""
        if self._begun:
            self._take(self._begun)
            self._begun = b""

    @property
    def text(self) -> str:
        """The last lines, without the final line end."""
        return "\n".join(self._kept)

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._each(text)
        self._kept.append(text)
        self._bytes += len(line)
        while len(self._kept) > KEPT_LINES or (self._bytes > KEPT_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().encode())
