"""Files to and from a server: whole or not at all, by SFTP, or through a command where there is none.

A file gets a temporary name beside its own, where nobody else can read it, and is renamed when all of it is there.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from rallyflow.errors import TransferFailed
from rallyflow.servers.machine import Machine, Order
from rallyflow.servers.ssh.border import talking
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.servers.ssh.output import Lines

if TYPE_CHECKING:
    from paramiko import SFTPClient


def upload(machine: Machine, source: Path, target: str, *, mode: int | None = None, sudo: bool = False) -> None:
    """Copy a file to a server; `mode` is that of the file here by default, and `sudo` writes as root.

    Raises TransferFailed when it can't be read here or written there, StoppedError, or what `Machine.run` raises.
    """
    with _opened(source) as (file, size):
        bits = os.fstat(file.fileno()).st_mode & 0o777 if mode is None else mode
        with _sftp(machine, sudo=sudo) as sftp:
            if sftp is None:
                _upload_by_command(machine, file, size, target, bits, sudo=sudo)
            else:
                _upload_by_sftp(machine, sftp, file, size, target, bits)


def download(machine: Machine, source: str, target: Path, *, sudo: bool = False) -> None:
    """Copy a file from a server; `sudo` reads it as root. The folder of `target` has to exist. Raises as `upload`."""
    temporary = Path(_beside(str(target)))
    try:
        with _here(target), temporary.open("xb") as file, _sftp(machine, sudo=sudo) as sftp:
            if sftp is None:
                _download_by_command(machine, source, file, sudo=sudo)
            else:
                with _there(machine, source):
                    sftp.getfo(source, file, callback=_stopping(machine))
        with _here(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _sftp(machine: Machine, *, sudo: bool) -> Iterator[SFTPClient | None]:
    """Give an SFTP client; None where files go through a command."""
    found = None if sudo or machine.connection is None else machine.connection.sftp()
    if found is None:
        yield None
        return
    with talking(machine.whose), closing(found):
        yield found


def _upload_by_sftp(machine: Machine, sftp: SFTPClient, file: BinaryIO, size: int, target: str, mode: int) -> None:
    folder = _beside(target)
    temporary = f"{folder}/file"
    with _there(machine, target):
        sftp.mkdir(folder, 0o700)  # the one thing that SFTP makes with a mode from the first moment on
        try:
            sftp.putfo(file, temporary, size, callback=_stopping(machine))
            sftp.chmod(temporary, mode)
            sftp.posix_rename(temporary, target)
        except BaseException:
            with suppress(OSError, EOFError):
                sftp.remove(temporary)
            raise
        finally:
            with suppress(OSError, EOFError):
                sftp.rmdir(folder)


_RECEIVE = (
    't={target}; n={temporary}; if [ -d "$t" ]; then echo "$t: is a folder" >&2; exit 1; fi; umask 077; '
    'cat >"$n" && chmod {mode:o} "$n" && mv -f "$n" "$t" || {{ rm -f "$n"; exit 1; }}'
)


def _upload_by_command(machine: Machine, file: BinaryIO, size: int, target: str, mode: int, *, sudo: bool) -> None:
    text = _RECEIVE.format(target=shlex.quote(target), temporary=shlex.quote(_beside(target)), mode=mode)
    said = Lines()
    code = machine.stream(Order(text, sudo), (said, said), source=file, size=size)
    if code:
        raise _failed(machine, target, said)


def _download_by_command(machine: Machine, source: str, file: BinaryIO, *, sudo: bool) -> None:
    said = Lines()

    def take(data: bytes) -> None:
        with _here(Path(file.name)):
            file.write(data)

    if machine.stream(Order(f"cat -- {shlex.quote(source)}", sudo), (take, said)):
        raise _failed(machine, source, said)


def _failed(machine: Machine, path: str, said: Lines) -> TransferFailed:
    said.close()
    return TransferFailed(f"{machine.whose}: {path}: {said.text or 'can not be copied'}")


def _beside(target: str) -> str:
    """Return a temporary path in the folder of a file; TransferFailed when a path can't be that of a file."""
    path = PurePosixPath(target)
    if path.name in ("", ".."):
        raise TransferFailed(f"{target!r} is a folder", hint="name the file in it")
    return str(path.with_name(f".{path.name[:50]}.{secrets.token_hex(6)}.part"))


def _stopping(machine: Machine) -> Callable[[int, int], None]:
    def check(_done: int, _whole: int) -> None:
        if machine.stopped():
            raise StoppedError

    return check


@contextmanager
def _opened(source: Path) -> Iterator[tuple[BinaryIO, int]]:
    with _here(source):
        file = source.open("rb")
    with file:
        yield file, os.fstat(file.fileno()).st_size


@contextmanager
def _here(path: Path) -> Iterator[None]:
    """Map errors of our own files."""
    try:
        yield
    except OSError as error:
        raise TransferFailed(f"{path}: {error.strerror or error}") from error


@contextmanager
def _there(machine: Machine, path: str) -> Iterator[None]:
    """Map what an SFTP server says about a path; a connection that is gone is no matter of the path."""
    try:
        yield
    except (OSError, EOFError) as error:
        if machine.connection is None or not machine.connection.alive():
            raise
        said = getattr(error, "strerror", None) or str(error) or "refused"
        raise TransferFailed(f"{machine.whose}: {path}: {said}", hint="does the folder exist there?") from error
