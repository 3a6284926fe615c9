"""Speaks to the agent on a server: brings it there, runs a verb, and turns what it says into events and errors."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rallyflow.errors import AgentFailed, PackagesMissing, ServerTaken, ServiceFailed, StepError
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine, Order, killed
from rallyflow.servers.ssh.output import Lines
from rallyflow.servers.transfer import upload

Event = Mapping[str, Any]
_PACKAGE = "rallyflow_agent"
_MAIN = f"import sys\nfrom {_PACKAGE}.main import main\nsys.exit(main(sys.argv[1]))\n"
_MISSING = 127


class Agent:
    """The agent on one server. What `hidden` has is masked in everything that comes from there."""

    def __init__(
        self, machine: Machine, *, hidden: Iterable[str] = (), hear: Callable[[Event], None] | None = None
    ) -> None:
        self._machine = machine
        self._hidden = tuple(hidden)
        self._hear = hear or (lambda _event: None)

    def do(self, verb: str, text: str = "", *, timeout: float) -> Event:
        """Run a verb with `text` as its input and return its last event.

        Raises ServiceFailed, ServerTaken or AgentFailed for what it reports, a TransientError when it was killed, or
        what `Machine` raises.
        """
        data = text.encode()
        last: dict[str, Any] = {}
        said: list[str] = []
        code = self._run(verb, data, last, said, timeout)
        if code == _MISSING:
            self._install()
            code = self._run(verb, data, last, said, timeout)
        if last.get("event") == "error":
            raise self._error(last)
        error = killed(self._machine.whose, "the agent", code)
        if error:
            raise error
        if code or not last:
            raise AgentFailed(
                f"{self._machine.whose}: the agent ended with exit code {code}: {self._masked(' '.join(said[-5:]))}",
                hint="it needs Debian's python3, and to be root",
            )
        return last

    def _run(self, verb: str, data: bytes, last: dict[str, Any], said: list[str], timeout: float) -> int:
        def hear(line: str) -> None:
            event = _event(line)
            if event is None:
                said.append(line)
                return
            last.clear()
            last.update(event)
            self._hear(event)

        path = shlex.quote(agent_path())
        command = f"[ -e {path} ] || exit {_MISSING}; exec python3 {path} {verb}"
        out, err = Lines(hear), Lines(said.append)
        try:
            order = Order(command, sudo=needs_sudo(self._machine.server), timeout=timeout)
            return self._machine.stream(order, (out, err), source=io.BytesIO(data), size=len(data))
        finally:
            out.close()
            err.close()

    def _install(self) -> None:
        with TemporaryDirectory() as folder:
            archive = Path(folder, "agent.pyz")
            archive.write_bytes(_archive())
            upload(self._machine, archive, agent_path(), mode=0o644, sudo=needs_sudo(self._machine.server))

    def _error(self, event: Event) -> StepError:
        what = f"{self._machine.whose}: {self._masked(str(event['what']))}"
        if event.get("kind") == "taken":
            return ServerTaken(what, hint="`rallyflow destroy` the run that made it, or take other servers")
        log = self._masked(str(event.get("log", "")))
        if event.get("kind") == "packages":
            return PackagesMissing(f"{what}\n{log}".rstrip())
        return ServiceFailed(f"{what}\n{log}".rstrip(), hint="all of its output is on the server in /var/log/rallyflow")

    def _masked(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text


def needs_sudo(server: Server) -> bool:
    """Whether we have to become root there."""
    return server.user != "root" if server.connection == "ssh" else False


@cache
def agent_path() -> str:
    """Return where the agent is on a server: each version has a file of its own."""
    return f"/var/lib/rallyflow-agent-{hashlib.sha256(_archive()).hexdigest()[:12]}.pyz"


@cache
def _archive() -> bytes:
    """Return the agent as one file that python3 runs; the same bytes for the same sources."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
        package = files("rallyflow.deployers.debian.agent")
        for entry in sorted(package.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                archive.writestr(zipfile.ZipInfo(f"{_PACKAGE}/{entry.name}"), entry.read_bytes())
    return buffer.getvalue()


def _event(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None
