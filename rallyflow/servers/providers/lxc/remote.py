"""Calls functions of the agent on a host: its modules go along, so that nothing of ours has to be installed there."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, BinaryIO

from rallyflow.errors import (
    ContainerFailed,
    HostUnfit,
    ImageInUse,
    ImageUnknown,
    InternalError,
    NetworkTaken,
    RallyflowError,
    TransientError,
)
from rallyflow.servers.machine import Machine, Order, killed
from rallyflow.servers.ssh.output import Lines

_PACKAGE = "rallyflow.servers.providers.lxc.agent"
_BOOT = """
import json,os,sys
if sys.version_info < (3, 10): sys.exit({old})
def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece: sys.exit({cut})
        data += piece
    return data
sys.dont_write_bytecode = True
modules = os.memfd_create("agent")
os.write(modules, read({modules}))
sys.path.insert(0, "/proc/self/fd/%d" % modules)
from rallyflow.servers.providers.lxc.agent.entry import main
main(json.loads(read({call})))
"""
_SYSTEM = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH"  # the system's own python3 first: others are slower, or wrapped
_QUICK = 120.0  # seconds
_CUT, _OLD, _MISSING = 125, 126, 127  # exit codes: the input ended too early, python3 is too old, or not there
_ERRORS: dict[str, type[RallyflowError]] = {
    "missing": ImageUnknown,
    "used": ImageInUse,
    "taken": NetworkTaken,
    "transient": TransientError,
    "bug": InternalError,
}


class Agent:
    """The agent on one host, with root's rights there."""

    def __init__(self, machine: Machine, images: str, log: Callable[[str], None] = lambda _line: None) -> None:
        """`images` is the folder of its images; `log` gets what the agent says."""
        self.machine = machine
        self.images = images
        self.log = log

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine."""
        return self.machine.server.connection == "local"

    def call(
        self, do: str, *, timeout: float = _QUICK, stream: BinaryIO | None = None, size: int = 0, **arguments: Any
    ) -> Any:
        """Call `module.function` of the agent and return what it returns; `size` bytes of `stream` are its input.

        Raises what `Machine.run` raises, and a RallyflowError for what the agent says.
        """
        text = json.dumps({"do": do, "with": arguments}).encode()
        boot = _BOOT.format(modules=len(_modules()), call=len(text), cut=_CUT, old=_OLD)
        source = _Joined(io.BytesIO(_modules() + text), stream)
        answer, said = bytearray(), Lines(self.log)
        code = self.machine.stream(
            Order(f"{_SYSTEM} exec python3 -I -S -c '{boot}'", sudo=True, timeout=timeout),
            (answer.extend, said),
            source=source,  # type: ignore[arg-type]
            size=len(_modules()) + len(text) + size,
        )
        said.close()
        if code in {_OLD, _MISSING}:
            raise HostUnfit(f"{self.machine.whose} has no python3 of 3.10 or newer", hint="apt-get install python3")
        error = killed(self.machine.whose, f"the agent, at `{do}`,", code)
        if error:
            raise error
        if code:
            raise ContainerFailed(f"{self.machine.whose}: no answer (exit code {code}): {said.text[-500:]}")
        return self._value(self._read(answer))

    def failure(self, error: dict[str, str]) -> RallyflowError:
        """Return what the agent says of a failure as an error of ours."""
        kind = _ERRORS.get(error["kind"], ContainerFailed)
        return kind(f"{self.machine.whose}: {error['what']}", hint=error["hint"])

    def _read(self, answer: bytearray) -> dict[str, Any]:
        """Return the last line of an answer: what begins a shell there may have printed something before."""
        try:
            found: dict[str, Any] = json.loads(answer.strip().rpartition(b"\n")[2])
        except ValueError as error:
            said = bytes(answer[-200:]).decode(errors="replace")
            raise ContainerFailed(f"{self.machine.whose}: no answer, but {said!r}") from error
        return found

    def _value(self, answer: dict[str, Any]) -> Any:
        if "error" in answer:
            raise self.failure(answer["error"])
        return answer["value"]


class _Joined:
    """Two streams, one after the other."""

    def __init__(self, first: BinaryIO, second: BinaryIO | None) -> None:
        self._streams = [first, *([second] if second else [])]

    def read(self, size: int = -1) -> bytes:
        while self._streams:
            data = self._streams[0].read(size)
            if data:
                return data
            self._streams.pop(0)
        return b""


@cache
def _modules() -> bytes:
    """Return the agent's modules as a zip file, with nothing else of rallyflow."""
    made = io.BytesIO()
    parts = _PACKAGE.split(".")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for depth in range(1, len(parts)):
            archive.writestr(zipfile.ZipInfo("/".join([*parts[:depth], "__init__.py"])), b"")
        for file in sorted(files(_PACKAGE).iterdir(), key=lambda file: file.name):
            if file.name.endswith((".py", ".sh")):
                archive.writestr("/".join([*parts, file.name]), file.read_bytes())
    return made.getvalue()
