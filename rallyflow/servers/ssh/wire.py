"""Both ends of a process on a server: over a channel of ssh, or, on this machine, over pipes."""

from __future__ import annotations

import os
import select
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from paramiko import Channel

_PIECE = 1 << 16
_REAPING = 10.0  # seconds for a process of this machine to end once its input has


class Wire(Protocol):
    """What a command is run over. Nothing but `wait` ever blocks for long."""

    def send(self, data: bytes) -> int:
        """Send some of the input; returns how many bytes were taken, 0 when there is no room now."""

    def end(self) -> None:
        """Say that no more input comes."""

    def wait(self, seconds: float) -> None:
        """Wait until there may be something to read."""

    def read(self) -> tuple[bytes, bytes]:
        """Return what has come on the output and on the error output."""

    def code(self) -> int | None:
        """Return the exit code, negative when the process was killed; None while it runs."""

    def drained(self) -> bool:
        """Whether nothing more can come."""

    def close(self) -> None:
        """End the input and listen no more: the process is left to end by itself, or has."""


class ChannelWire:
    """A process at the other end of a channel."""

    def __init__(self, channel: Channel, line: str) -> None:
        """Start a command line there."""
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        channel.exec_command(line)

    def send(self, data: bytes) -> int:
        return self._channel.send(data[:_PIECE]) if self._channel.send_ready() else 0

    def end(self) -> None:
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def wait(self, seconds: float) -> None:
        if self._at_end():  # the descriptor says so for ever, and the exit code may still be under way
            self._channel.status_event.wait(seconds)
        else:
            self._poll.poll(seconds * 1000)

    def read(self) -> tuple[bytes, bytes]:
        channel = self._channel
        out = channel.recv(_PIECE) if channel.recv_ready() else b""
        return out, channel.recv_stderr(_PIECE) if channel.recv_stderr_ready() else b""

    def code(self) -> int | None:
        if not self._channel.exit_status_ready():
            return None
        return int(self._channel.recv_exit_status())

    def drained(self) -> bool:
        channel = self._channel
        return self._at_end() and not channel.recv_ready() and not channel.recv_stderr_ready()

    def close(self) -> None:
        with suppress(OSError, EOFError):
            self._channel.close()

    def _at_end(self) -> bool:
        return bool(self._channel.eof_received or self._channel.closed)


class LocalWire:
    """A process on this machine. It leads a session, so that it outlives ours just long enough to end what it runs."""

    def __init__(self, line: str) -> None:
        """Start a command line."""
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._poll = select.poll()
        self._open: dict[int, bool] = {}
        for stream in (self._process.stdout, self._process.stderr):
            number = stream.fileno() if stream else -1
            self._poll.register(number, select.POLLIN)
            self._open[number] = True
        self._input = self._process.stdin.fileno() if self._process.stdin else -1
        os.set_blocking(self._input, False)

    def send(self, data: bytes) -> int:
        try:
            return os.write(self._input, data[:_PIECE])
        except BlockingIOError:
            return 0

    def end(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        if any(self._open.values()):
            self._poll.poll(seconds * 1000)
        else:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def read(self) -> tuple[bytes, bytes]:
        ready = {number for number, _ in self._poll.poll(0)}
        out, err = (self._take(number) if number in ready else b"" for number in list(self._open))
        return out, err

    def _take(self, number: int) -> bytes:
        data = os.read(number, _PIECE)
        if not data:
            self._open[number] = False
            self._poll.unregister(number)
        return data

    def code(self) -> int | None:
        return self._process.poll()

    def drained(self) -> bool:
        return not any(self._open.values())

    def close(self) -> None:
        self.end()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        try:
            self._process.wait(_REAPING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
