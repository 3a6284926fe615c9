"""The last words of a command: on each output its harness says when all that the command had to say has come."""

from __future__ import annotations

from rallyflow.servers.ssh.output import Sink


class Ending:
    """One output on its way to its sink, byte by byte but for the line by which the harness ends it.

    Something that was left in the background may go on after that line; it is passed on as well.
    """

    def __init__(self, line: bytes, sink: Sink) -> None:
        self._line = line
        self._sink = sink
        self._held = b""  # may be the beginning of the line
        self.has_come = False

    def __call__(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.has_come:
            self._pass_on(data)
            return
        before, line, after = (self._held + data).partition(self._line)
        self.has_come = bool(line)
        self._held = b"" if line else _beginning(self._line, before)
        self._pass_on(before.removesuffix(self._held) + after)

    def close(self) -> None:
        """Pass on what was held back: the line does not come any more."""
        held, self._held = self._held, b""
        self._pass_on(held)

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._sink(data)


def _beginning(line: bytes, data: bytes) -> bytes:
    """Return the longest end of the data that is a beginning of the line."""
    longest = min(len(line) - 1, len(data))
    return next((line[:size] for size in range(longest, 0, -1) if data.endswith(line[:size])), b"")
