"""One command over a wire, from the first word to the exit code, and its end when it has to end.

What has begun is ended by ending its input: its harness takes that as the wish that all of it be ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from rallyflow.errors import CommandFailed, CommandTimedOut, ServerLost, ServerUnreachable, SudoRefused
from rallyflow.servers.ssh.ending import Ending
from rallyflow.servers.ssh.harness import Harness
from rallyflow.servers.ssh.opening import Opening
from rallyflow.servers.ssh.output import Sink
from rallyflow.servers.ssh.patience import Patience
from rallyflow.servers.ssh.wire import Wire
from rallyflow.units import format_duration

_TICK = 0.1  # seconds between two looks at the clock
_CROWDED = 0.01  # seconds between two attempts to send
_LINGER = 0.5  # seconds without output after which nothing more is waited for once all of the command's own has come
_LINGER_MOST = 10.0  # seconds, of one that has left something behind that goes on printing
_PIECE = 1 << 16


class StoppedError(Exception):
    """The command was ended because its caller wants to stop."""


class NotBegunError(Exception):
    """The wire was cut before the command had begun: nothing has happened yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a command has to end."""

    timeout: float | None = None  # seconds from when it begins
    stopped: Callable[[], bool] = lambda: False
    silent: Callable[[], bool] = lambda: False  # whether the server has said nothing for too long
    patience: Patience = field(default_factory=Patience)


class Command:
    """A command under way. `begun` and `ended` say where it stands when `run` has raised."""

    def __init__(
        self,
        wire: Wire,
        harness: Harness,
        whose: str,
        *,
        sinks: tuple[Sink, Sink],
        source: BinaryIO,
        limits: Limits,
        password: str | None = None,
    ) -> None:
        """`sinks` take its output and its error output; of `source`, `harness.size` bytes are its input."""
        self._wire = wire
        self._harness = harness
        self._whose = whose
        self._endings = tuple(Ending(harness.ends, sink) for sink in sinks)
        self._source = source
        self._left = harness.size  # bytes of the source that were not read yet
        self._limits = limits
        self._opening = Opening(harness, whose, password)
        self._pending = b""
        self._last_sign = time.monotonic()  # of it: that it ran, or output

    @property
    def begun(self) -> bool:
        """Whether the command has begun on the server."""
        return self._opening.has_begun()

    @property
    def ended(self) -> bool:
        """Whether its harness has ended by itself, and so has seen to all that the command has started."""
        code = self._wire.code()
        return code is not None and code >= 0

    def run(self) -> int:
        """Return the exit code.

        Raises CommandTimedOut, StoppedError, NotBegunError, or a StepError that names the server.
        """
        try:
            self._begin()
            return self._run()
        finally:
            for ending in self._endings:
                ending.close()

    def end(self) -> None:
        """Ask the harness to end the command, and wait for it as long as the patience says."""
        self._wire.end()
        patient_until = time.monotonic() + self._limits.patience.grace
        while self._code() is None and time.monotonic() < patient_until:
            self._turn(send=False)

    def _run(self) -> int:
        started = time.monotonic()
        while not self._is_over():
            if self._limits.stopped():
                self.end()
                raise StoppedError
            if self._limits.timeout is not None and time.monotonic() - started > self._limits.timeout:
                self.end()
                raise CommandTimedOut(
                    f"{self._whose}: the command took longer than {format_duration(self._limits.timeout)}",
                    hint="it was ended there, with all that it had started",
                )
            self._turn()
        return self._result()

    def _begin(self) -> None:
        patient_until = time.monotonic() + self._limits.patience.begin
        while not self._opening.is_over():
            if self._is_over():
                self._linger()
                if not self._opening.is_over():
                    raise self._refusal()
                return
            if self._limits.stopped():
                if not (self._opening.to_send or self._pending):  # it may have begun, and the word be under way
                    self.end()
                raise StoppedError
            if time.monotonic() > patient_until:
                raise ServerUnreachable(f"{self._whose} does not begin the command", hint="is it overloaded?")
            self._turn()

    def _refusal(self) -> Exception:
        if self._opening.has_begun():
            return self._lost()
        code, said = self._wire.code(), self._opening.greeting
        if code is None or code < 0:
            return NotBegunError()
        if self._harness.sudo:
            return SudoRefused(
                f"{self._whose}: no sudo: {said or f'exit code {code}'}",
                hint="the user needs a rule with NOPASSWD in sudoers, or `password:`",
            )
        return CommandFailed(
            f"{self._whose} starts no commands: {said or f'exit code {code}'}", hint="the user needs a shell there"
        )

    def _result(self) -> int:
        self._linger()
        code = self._wire.code()
        if code is None or code < 0 or not self._has_said_all():
            raise self._lost()
        return code

    def _lost(self) -> ServerLost:
        return ServerLost(f"{self._whose}: the connection ended while the command ran", hint="is the server still up?")

    def _linger(self) -> None:
        """Take what else is under way; something that was left behind may hold the outputs open for ever."""
        ended = heard = time.monotonic()
        while not self._wire.drained() and time.monotonic() < min(heard + _LINGER, ended + _LINGER_MOST):
            if self._turn(send=False):
                heard = time.monotonic()

    def _is_over(self) -> bool:
        """Whether the exit code has come, and the output too, which it may overtake, or nobody is left to send it."""
        code = self._code()
        if code is None:
            self._last_sign = time.monotonic()
            return False
        forsaken = time.monotonic() - self._last_sign > self._limits.patience.silence
        return code < 0 or self._has_said_all() or self._wire.drained() or forsaken

    def _code(self) -> int | None:
        if self._limits.silent():
            raise ServerLost(f"{self._whose} does not answer any more", hint="is the server still up?")
        return self._wire.code()

    def _has_said_all(self) -> bool:
        return all(ending.has_come for ending in self._endings)

    def _turn(self, *, send: bool = True) -> bool:
        """Pass on what there is in both directions, or wait a moment; returns whether something came."""
        sent = send and self._send()
        heard = False
        for stream, data in enumerate(self._wire.read()):
            if data:
                heard = True
                self._last_sign = time.monotonic()
                self._opening.hear(stream, data, self._endings[stream])
        if not (sent or heard):
            self._wire.wait(_CROWDED if send and self._pending else _TICK)
        return heard

    def _send(self) -> bool:
        if not self._pending:
            self._pending, self._opening.to_send = self._opening.to_send, b""
        if not self._pending and self._left and self._opening.is_over():
            self._pending = self._source.read(min(_PIECE, self._left))
            self._left -= len(self._pending)
            if not self._pending:
                raise CommandFailed(f"{self._whose}: the input has become shorter while it was sent")
        if not self._pending:
            return False
        try:
            sent = self._wire.send(self._pending)
        except OSError:  # nobody takes it any more: what the command has to say about that comes the other way
            self._pending, self._left = b"", 0
            return False
        self._pending = self._pending[sent:]
        return sent > 0
