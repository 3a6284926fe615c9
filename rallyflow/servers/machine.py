"""A server to work on, by ssh or, when it is this machine, without: commands that stream, and files."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

from rallyflow.errors import ServerUnreachable, StepError, TransientError
from rallyflow.model.values import Server
from rallyflow.servers.ssh.border import talking
from rallyflow.servers.ssh.command import Command, Limits, NotBegunError
from rallyflow.servers.ssh.connection import Connection
from rallyflow.servers.ssh.harness import Harness, ending_of, text_of
from rallyflow.servers.ssh.login import password_of
from rallyflow.servers.ssh.output import Lines, Sink
from rallyflow.servers.ssh.patience import Patience
from rallyflow.servers.ssh.wire import ChannelWire, LocalWire, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

_SWEEPING = 10.0  # seconds
_SIGNALLED = 128  # what shells add to the number of the signal that has ended a command


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended; of its output the last lines are kept."""

    server: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def how(self) -> str:
        """The ending in words: shells say 128 + N for a command that signal N has ended."""
        with suppress(ValueError):
            if self.exit_code > _SIGNALLED:
                return f"exit code {self.exit_code} ({signal.Signals(self.exit_code - _SIGNALLED).name})"
        return f"exit code {self.exit_code}"


def killed(whose: str, what: str, exit_code: int) -> TransientError | None:
    """Return the error for a program of ours, if a signal has ended it: that may go well another time."""
    with suppress(ValueError):
        if exit_code > _SIGNALLED:
            number = signal.Signals(exit_code - _SIGNALLED)
            hint = "was its memory used up? `dmesg` there tells" if number is signal.SIGKILL else ""
            return TransientError(f"{whose}: {what} was killed by signal {number} ({number.name})", hint=hint)
    return None


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, as /bin/sh on the server reads it, and how."""

    run: str
    sudo: bool = False
    env: Mapping[str, str] | None = None
    timeout: float | None = None  # seconds


class Machine:
    """One server. Its methods may be used from several threads; each command has a channel of its own."""

    def __init__(
        self,
        server: Server,
        *,
        log: Callable[[str], None] = lambda _line: None,
        stopped: Callable[[], bool] = lambda: False,
        patience: Patience | None = None,
    ) -> None:
        """`log` gets each line that a command prints; a command ends soon after `stopped` says so."""
        self.server = server
        self.stopped = stopped
        self.patience = patience or Patience()
        self.connection = Connection(server, self.patience) if server.connection == "ssh" else None
        self.whose = self.connection.whose if self.connection else f"server {server.name}"
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it every command that still runs over it."""
        if self.connection:
            self.connection.close()

    def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        sudo: bool = False,
        env: Mapping[str, str] | None = None,
        input: bytes = b"",  # noqa: A002 - as in subprocess
    ) -> Done:
        """Run a command to its end, whatever its exit code; all that it prints is logged line by line.

        Raises CommandTimedOut, with nothing of the command left, StoppedError, or a StepError that names the server.
        """
        started = time.monotonic()
        out, err = Lines(self._log), Lines(self._log)
        try:
            code = self.stream(
                Order(command, sudo, env, timeout), (out, err), source=io.BytesIO(input), size=len(input)
            )
        finally:
            out.close()
            err.close()
        return Done(self.server.name, code, out.text, err.text, time.monotonic() - started)

    def stream(self, order: Order, sinks: tuple[Sink, Sink], *, source: BinaryIO | None = None, size: int = 0) -> int:
        """Run a command with its outputs as bytes to `sinks` and `size` bytes of `source` as input.

        Returns the exit code. When the connection dies before the command has begun, it is tried once more.
        """
        harness = self._harness(text_of(order.run, order.env or {}), size, sudo=order.sudo)
        limits = Limits(order.timeout, self.stopped, self._silent, self.patience)
        source = source or io.BytesIO()
        for _ in range(2):
            with suppress(NotBegunError), self._command(harness, sinks, source, limits) as command:
                try:
                    return command.run()
                except Exception:
                    if command.begun and not command.ended:
                        self._sweep(harness)
                    raise
            self.close()
        raise ServerUnreachable(f"{self.whose} ends the connection when a command is started")

    @contextmanager
    def _command(
        self, harness: Harness, sinks: tuple[Sink, Sink], source: BinaryIO, limits: Limits
    ) -> Iterator[Command]:
        """Give a command to run; its wire is cut at the end of the block."""
        with talking(self.whose):
            wire = self._wire(harness)
            password = password_of(self.server.password_file, self.whose) if harness.sudo else None
            command = Command(wire, harness, self.whose, sinks=sinks, source=source, limits=limits, password=password)
            try:
                yield command
            finally:
                wire.close()

    def _wire(self, harness: Harness) -> Wire:
        if self.connection is None:
            return LocalWire(harness.line)
        from paramiko import SSHException

        channel = self.connection.channel()
        try:
            return ChannelWire(channel, harness.line)
        except (SSHException, EOFError, OSError) as error:
            raise NotBegunError from error

    def _harness(self, text: str, size: int = 0, *, sudo: bool = False) -> Harness:
        return Harness(text, size, sudo=sudo, asks=sudo and self.server.password_file is not None)

    def _silent(self) -> bool:
        return self.connection is not None and self.connection.silent()

    def _sweep(self, harness: Harness) -> None:
        """End by force what a command has left, where its harness did not; a dead connection ends it anyway."""
        if self.connection is not None and not self.connection.alive():
            self.connection.close()
            return
        ending = self._harness(ending_of(harness.mark), sudo=harness.sudo)
        limits = Limits(timeout=_SWEEPING, silent=self._silent, patience=self.patience)
        with suppress(StepError, NotBegunError), self._command(ending, (_drop, _drop), io.BytesIO(), limits) as sweep:
            sweep.run()


def _drop(_data: bytes) -> None:
    pass
