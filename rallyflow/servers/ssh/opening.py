"""The first words of a command: sudo may ask for its password, then both outputs say that it begins."""

from __future__ import annotations

from rallyflow.errors import SudoRefused
from rallyflow.servers.ssh.harness import Harness
from rallyflow.servers.ssh.output import Sink

_MOST = 1 << 16  # bytes of a greeting that are looked at


class Opening:
    """Hears what comes before the command's own output, and says what to send."""

    def __init__(self, harness: Harness, whose: str, password: str | None) -> None:
        self._harness = harness
        self._whose = whose
        self._password = password
        self._heard = [b"", b""]
        self._begun = [False, False]
        self._answered = False
        self.to_send = b"" if harness.sudo else harness.script

    def is_over(self) -> bool:
        """Whether both outputs are the command's by now."""
        return all(self._begun)

    def has_begun(self) -> bool:
        """Whether the command may have done something already: one output has said so, the other is under way."""
        return any(self._begun)

    @property
    def greeting(self) -> str:
        """What the server has said instead: its last line."""
        said = b"\n".join(reversed(self._heard)).replace(self._harness.prompt, b"").decode(errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip() and self._harness.mark not in line]
        return lines[-1] if lines else ""

    def hear(self, stream: int, data: bytes, sink: Sink) -> None:
        """Take bytes of the output (0) or the error output (1); what is the command's own goes to the sink."""
        if self._begun[stream]:
            sink(data)
            return
        heard = self._heard[stream] + data
        before, begins, after = heard.partition(self._harness.begins)
        if begins:
            self._begun[stream] = True
            self._heard[stream] = b""
            if after:
                sink(after)
            return
        self._heard[stream] = before[-_MOST:]
        if stream == 1 and self._harness.sudo:
            self._hear_sudo()

    def _hear_sudo(self) -> None:
        before, ready, _ = self._heard[1].partition(self._harness.ready)
        if ready:
            self._heard[1] = b""
            self.to_send += self._harness.script
        elif self._harness.prompt in before:
            if self._answered or self._password is None:
                raise SudoRefused(
                    f"{self._whose}: sudo refuses the password", hint="it is the one that the user logs in with"
                )
            self._answered = True
            self._heard[1] = before.replace(self._harness.prompt, b"")
            self.to_send += self._password.encode() + b"\n"
