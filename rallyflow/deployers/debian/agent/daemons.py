"""Daemons without an init system, found by what they were started with.

Each has a marker in its environment: deployment, name, and the digest of its command line and configuration. A look
at /proc tells which of ours run and whether they are what they should be; there are no files of process ids to be
stale. A daemon is the leader of a session of its own: what it has started, through sudo as well, ends with it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import places
from .events import AgentError, say
from .plan import Daemon

_MARKER = "RALLYFLOW_DAEMON"
_GRACE = 20.0  # seconds that a daemon gets to end by itself
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Process:
    """A process that carries a marker."""

    pid: int
    session: int
    deployment: str
    name: str
    digest: str


def running(deployment: str) -> list[Process]:
    """Return the processes of a deployment, with the children that they have passed their environment on to."""
    found = (_process(pid) for pid in _pids())
    return [process for process in found if process and process.deployment == deployment]


def log_of(name: str) -> Path:
    """Return the file that holds what a daemon prints."""
    return places.LOGS / f"{name}.log"


def start(deployment: str, daemon: Daemon, digest: str) -> subprocess.Popen[bytes]:
    """Start a daemon, in the background and in a clean environment; it outlives the agent."""
    home = pwd.getpwnam(daemon.user).pw_dir
    env = {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8", "SPT_NOENV": "1", **daemon.env}  # titles spare the marker
    env[_MARKER] = f"{deployment} {daemon.name} {digest}"
    log = os.open(log_of(daemon.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        return subprocess.Popen(
            daemon.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=env,
            start_new_session=True,
            **identity_of(daemon.user),
        )
    except OSError as error:
        raise AgentError(f"{daemon.command[0]} can't be started: {error}") from error
    finally:
        os.close(log)


def identity_of(user: str) -> dict[str, Any]:
    """Return the options that make a subprocess run as a user; none when that is who we are."""
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.getuid():
        return {}
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid)}


def stop(processes: Sequence[Process], grace: float = _GRACE) -> None:
    """End daemons, all at a time: TERM for their leaders, KILL for what is left of their sessions after a while."""
    if not processes:
        return
    began = time.monotonic()
    sessions = {process.session for process in processes}
    leaders = {process.pid for process in processes if process.pid == process.session}
    for pid in leaders or {process.pid for process in processes}:
        _signal(pid, signal.SIGTERM)
    while leaders and time.monotonic() < began + grace:
        time.sleep(0.05)
        leaders = {pid for pid in leaders if _session(pid) == pid}
    names = sorted({process.name for process in processes})
    forced = sorted({process.name for process in processes if process.pid in leaders})
    say("stopped", daemons=names, forced=forced, seconds=round(time.monotonic() - began, 2))
    marked = {process.pid for process in processes}
    for _ in range(100):
        left = [pid for pid in _pids() if _alive(pid) and (_session(pid) in sessions or _still(pid, marked))]
        if not left:
            return
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)
    raise AgentError(f"processes that can't be ended: {left}")


def _still(pid: int, marked: set[int]) -> bool:
    return pid in marked and _process(pid) is not None


def _pids() -> Iterator[int]:
    own = os.getpid()
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != own)


def _process(pid: int) -> Process | None:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    head = f"{_MARKER}=".encode()
    marker = next((line[len(head) :] for line in environ.split(b"\0") if line.startswith(head)), None)
    words = marker.decode(errors="replace").split() if marker else []
    session = _session(pid)
    return Process(pid, session, *words) if len(words) == 3 and session else None


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _session(pid: int) -> int:
    """Return the session of a process that lives; 0 for one that is gone, or waits for its parent to notice."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] not in "ZX" else 0


def _alive(pid: int) -> bool:
    return _session(pid) != 0


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
