"""Files and folders of a plan: written whole, only when they differ, and put back as they were at the end."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from . import places
from .events import AgentError
from .plan import File, Folder

_BEGIN, _END = "# rallyflow: begin", "# rallyflow: end"


def make_folders(folders: Iterable[Folder]) -> None:
    """Make what is missing, and set owner and mode of all of them."""
    for folder in folders:
        path = places.of(folder.path)
        path.mkdir(parents=True, exist_ok=True)
        _own(path, folder.owner, folder.owner if folder.owner != "nobody" else "nogroup")
        path.chmod(folder.mode)


def write(file: File) -> bool:
    """Bring a file to its content; returns whether it had another one."""
    path = places.of(file.path)
    content = file.content.encode()
    same = path.is_file() and path.read_bytes() == content
    if not same:
        _keep_original(path, file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content, file.mode, file.owner, file.group)
    else:
        _own(path, file.owner, file.group)
        path.chmod(file.mode)
    return not same


def replace(path: Path, content: bytes, mode: int, owner: str = "root", group: str = "root") -> None:
    """Write a file in one piece; nobody who may not read it can do so at any time."""
    temporary = path.with_name(f".{path.name}.rallyflow")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _own(temporary, owner, group)
    temporary.chmod(mode)
    temporary.rename(path)


def put_back(paths: Iterable[str]) -> None:
    """Remove files of ours; where there was another one before, that comes back.

    What is kept of that stays until all is done, so that this can be done again where it was cut off.
    """
    for name in paths:
        path, original = places.of(name), _original(name)
        if original.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(original, path.with_name(f".{path.name}.rallyflow"), path)
        else:
            path.unlink(missing_ok=True)


def forget_originals() -> None:
    """Remove what is kept of the files that were there before."""
    shutil.rmtree(places.ORIGINALS, ignore_errors=True)


def write_hosts(hosts: Mapping[str, str]) -> None:
    """Keep a block of our names in /etc/hosts; no hosts, no block."""
    path = places.of("/etc/hosts")
    lines = path.read_text().splitlines() if path.exists() else []
    with suppress(ValueError):
        lines = lines[: lines.index(_BEGIN)] + lines[lines.index(_END) + 1 :]
    if hosts:
        lines += [_BEGIN, *(f"{address} {name}" for name, address in sorted(hosts.items())), _END]
    content = "".join(line + "\n" for line in lines).encode()
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace(path, content, 0o644)
        except OSError:  # a mounted /etc/hosts can't be replaced
            path.write_bytes(content)


def _original(name: str) -> Path:
    return places.ORIGINALS / name.lstrip("/").replace("/", "%")


def _keep_original(path: Path, name: str) -> None:
    original = _original(name)
    ours = places.STAMPS / ("file-" + original.name)
    if path.exists() and not original.exists() and not ours.exists():
        original.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(path, original.with_suffix(".part"), original)
    places.STAMPS.mkdir(parents=True, exist_ok=True, mode=0o700)
    ours.touch()


def _copy(source: Path, part: Path, target: Path) -> None:
    """Copy a file with its owner and mode, in one piece."""
    found = source.stat()
    shutil.copy2(source, part)
    os.chown(part, found.st_uid, found.st_gid)
    part.chmod(found.st_mode & 0o7777)  # a change of the owner takes bits away
    part.rename(target)


def _own(path: Path, owner: str, group: str) -> None:
    try:
        uid, gid = pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise AgentError(f"{path}: there is no user or group {error.args[0]}: is a package missing?") from error
    found = path.stat()
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.chown(path, uid, gid)
