"""The shell text around a command: it says when the command begins and ends, and ends it when the connection ends.

The command line that the server sees is always the same few words; everything else is sent as input, so that
neither the command nor its environment stands in a list of processes.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from rallyflow.errors import CommandFailed

_LONGEST = 120_000  # bytes: what Linux takes as one variable of the environment
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READ = 'read -r text; eval "$(printf %b "$text")"'
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -c "$0"; fi; exec sudo {how} -- sh -c "$0" "$PPID"'
_READY = "echo {mark} ready >&2; "

_END_BY_MARK = """round=0
while found=$(grep -ls "RALLYFLOW_COMMAND=$mark" /proc/[0-9]*/environ); [ -n "$found" ] && [ $round -lt 50 ]; do
  for each in $found; do each=${each#/proc/}; kill -s KILL "${each%/environ}"; done
  round=$((round + 1))
done 2>/dev/null
true"""


@dataclass(frozen=True, slots=True)
class Harness:
    """What to start on a server, what to send to it, and the words by which it answers."""

    text: str  # of the command, as /bin/sh reads it
    size: int = 0  # bytes of input that are the command's
    sudo: bool = False
    asks: bool = False  # sudo may ask for a password
    mark: str = field(default_factory=lambda: "rallyflow-" + secrets.token_hex(12))

    @property
    def line(self) -> str:
        """The command line, which any login shell understands."""
        if not self.sudo:
            return f"exec sh -c {shlex.quote(_READ)}"
        how = f"-S -p {self.prompt.decode()}" if self.asks else "-n"
        read = _READY.format(mark=self.mark) + _READ
        return f"exec sh -c {shlex.quote(_AS_ROOT.format(how=how))} {shlex.quote(read)}"

    @property
    def script(self) -> bytes:
        """What has to be sent first, one line; the command's own input follows. With sudo, once it is ready."""
        settings = f"mark={self.mark} size={self.size} text={shlex.quote(self.text)}\n"
        return (settings + _harness()).replace("\\", r"\\").replace("\n", r"\n").encode(
            errors="surrogateescape"
        ) + b"\n"

    @property
    def ready(self) -> bytes:
        """The line on the error output after which sudo takes nothing of the input any more."""
        return f"{self.mark} ready\n".encode()

    @property
    def begins(self) -> bytes:
        """The line on both outputs after which everything is the command's."""
        return f"{self.mark} begins\n".encode()

    @property
    def ends(self) -> bytes:
        """The line on both outputs before which everything that the command has waited for has come."""
        return f"{self.mark} ends\n".encode()

    @property
    def prompt(self) -> bytes:
        """What sudo says on the error output when it wants a password."""
        return f"{self.mark}-password:".encode()


def text_of(run: str, env: Mapping[str, str]) -> str:
    """Return a command with its environment; CommandFailed when it can't be passed on."""
    wrong = [name for name in env if not _NAME.fullmatch(name)]
    if wrong:
        raise CommandFailed(f"{wrong[0]!r} can't be the name of a variable", hint="look at `env:`")
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()) + run
    if "\0" in text or len(text.encode(errors="surrogateescape")) > _LONGEST:
        raise CommandFailed(
            f"the command is longer than {_LONGEST} bytes, or has a byte 0 in it",
            hint="upload it as a file, and run that",
        )
    return text


def ending_of(mark: str) -> str:
    """Return the command that ends by force whatever has a mark, on a server whose harness is gone."""
    head, tail = mark[:-4], mark[-4:]  # in two pieces: its own environment must not have it
    return f"mark={head}; mark=${{mark}}{tail}\n{_END_BY_MARK}"


@cache
def _harness() -> str:
    lines = files(__package__).joinpath("harness.sh").read_text(encoding="ascii").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))
