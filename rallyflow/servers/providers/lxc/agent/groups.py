"""The control groups of a container: by them its processes are found when LXC does not know of it any more."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from rallyflow.servers.providers.lxc.agent import configs, host
from rallyflow.servers.providers.lxc.agent.trouble import HostError

_PATIENCE = 20  # seconds
_ANOTHER = re.compile(r"-[0-9]+")


def end(name: str) -> None:
    """End what is left of a container by force, and remove its control groups: its monitor may have been killed."""
    deadline = time.monotonic() + _PATIENCE
    while folders := _groups(name):
        for folder in folders:
            for process in _members(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            with contextlib.suppress(OSError):  # something in it is still about to end
                folder.rmdir()
        if time.monotonic() > deadline:
            raise HostError(f"the processes of {name} do not end", hint=f"see {folders[0]}", kind="transient")
        if _groups(name):
            time.sleep(0.02)


def _members(folder: Path) -> list[int]:
    """Return the processes in a control group; of a threaded one, which can't be asked, none: one above has them."""
    try:
        return [int(process) for process in host.text_of(folder / "cgroup.procs").split()]
    except OSError:
        return []


def _groups(name: str) -> list[Path]:
    """Return the control groups of a container, the innermost first."""
    found = [Path(folder) for top in _tops(name) for folder, _, _ in os.walk(top)]
    return sorted(found, key=lambda folder: len(folder.parts), reverse=True)


def _tops(name: str) -> Iterator[Path]:
    """Give the outermost ones. LXC appends a hyphen and a number when a group has the name already.

    Another container may be called so, and has a folder then.
    """
    for prefix in (f"lxc.payload.{name}", f"lxc.monitor.{name}"):
        for top in (*configs.CGROUPS.glob(f"{prefix}*"), *configs.CGROUPS.glob(f"*/{prefix}*")):
            more = top.name.removeprefix(prefix)
            if not more or (_ANOTHER.fullmatch(more) and not (host.CONTAINERS / f"{name}{more}").exists()):
                yield top
