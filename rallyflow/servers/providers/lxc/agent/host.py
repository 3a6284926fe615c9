"""The host itself: where its files are, how programs are run, and what only one process at a time may do."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent.trouble import HostError

STATE = Path("/var/lib/rallyflow")
CONTAINERS = STATE / "lxc"
NETWORKS = STATE / "networks"
LOCKS = STATE / "locks"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_QUICK = 60.0  # seconds for a program that only asks or sets something


def say(line: str) -> None:
    """Tell the caller's log. A caller that is gone is no error: what is half made has to be let go of all the same."""
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the protocol


def run(
    *command: object, timeout: float = _QUICK, check: bool = True, text: str = "", holding: int | None = None
) -> str:
    """Run a program with a clean environment and return what it prints; HostError when it fails.

    With a lock to be `holding` it goes on when this process is ended or killed, and the lock is free once it has ended.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=env(),
            start_new_session=holding is not None,
            pass_fds=() if holding is None else (holding,),
        )
    except FileNotFoundError as error:
        raise HostError(f"there is no program {words[0]}") from error
    with process:  # which waits for it
        try:
            out, err = process.communicate(text, timeout)
        except BaseException as error:
            if holding is None or isinstance(error, subprocess.TimeoutExpired):
                process.kill()
            raise
    if check and process.returncode:
        said = (err or out).strip()[-500:]
        raise HostError(f"{' '.join(words[:6])}: {said or f'exit code {process.returncode}'}")
    return out


def env() -> dict[str, str]:
    """Return the environment of what we start: nothing of the caller's, by which it could be taken for a part of it."""
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}


def show(*command: str) -> list[dict[str, Any]]:
    """Return what an `ip -j` command shows; nothing when there is no such thing."""
    found: list[dict[str, Any]] = json.loads(run("ip", "-j", *command, check=False) or "[]")
    return [each for each in found if each]


def has_link(name: str) -> bool:
    """Whether there is a network device."""
    return Path("/sys/class/net", name).exists()


def can_be_name(name: str) -> bool:
    """Whether something may be called so: other things in our folders, such as lost+found, are not ours."""
    return _NAME.fullmatch(name) is not None


def checked(name: str) -> str:
    """Return a name that may become a part of a path; HostError for any other."""
    if not can_be_name(name):
        raise HostError(
            f"{name!r} can't be a name", hint="names have letters, digits, dots, hyphens and underscores, at most 200"
        )
    return name


@contextlib.contextmanager
def locked(
    name: str, *, folder: Path = LOCKS, shared: bool = False, waiting: str = "", busy: str = ""
) -> Iterator[int]:
    """Hold a lock of this host, which ends with this process; `waiting` is said when another has it.

    With `busy` it is not waited for: that is the HostError then, of the kind `used`. Gives the lock's file descriptor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.lock"
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, waiting, busy)
            if _is(descriptor, file):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int, how: int, waiting: str, busy: str) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if busy:
            raise HostError(busy, kind="used") from error
        if waiting:
            say(waiting)
        fcntl.flock(descriptor, how)


def _is(descriptor: int, file: Path) -> bool:
    """Whether a file is still the one that was opened: who had the lock before may have removed it."""
    try:
        return os.fstat(descriptor).st_ino == file.stat().st_ino
    except FileNotFoundError:
        return False


def read_json(file: Path) -> dict[str, Any] | None:
    """Return what a file holds; None when it is missing, is none, or was cut off by a crash of the machine."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write a file whole or not at all, and onto the disk."""
    write_file(file, json.dumps(value, indent=1, sort_keys=True) + "\n", 0o600)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Bring what a folder has, and under which names, onto the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, with just this mode from its first instant."""
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, mode)
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    temporary.replace(file)


def private(folder: Path) -> Path:
    """Make a folder that only root can enter, if it is not there, and see to it that it is one.

    In a container's files there are programs with the rights of root, and what its own users must not see.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, but nothing of another file system that is mounted there."""
    if not folder.exists() and not folder.is_symlink():
        return
    run("rm", "-rf", "--one-file-system", "--", folder, timeout=1800.0)
    if folder.exists():
        raise HostError(f"{folder} can't be removed", hint="is something mounted there? See /proc/mounts")


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def text_of(file: Path) -> str:
    """Return what a file holds; nothing when it is not there."""
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def first_line(words: Sequence[str]) -> str:
    """Return the first line that a program prints; nothing when it is missing or fails."""
    with contextlib.suppress(HostError, subprocess.TimeoutExpired):
        return next(iter(run(*words, check=False).splitlines()), "")
    return ""
