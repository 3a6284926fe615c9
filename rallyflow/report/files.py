"""Writes a report so that the old file or the new one is there, whole, at any instant."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from rallyflow.errors import DiskFull, StorageError


def write_text(path: Path, text: str) -> None:
    """Write a file durably: beside its place, synced, then renamed. Makes the folders above it.

    Raises DiskFull or StorageError; then the old file, if any, is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left to write {path}", hint="free some space, then `rallyflow resume`") from error
        raise StorageError(
            f"can't write {path}: {error.strerror or error}", hint="check the permissions of its folder"
        ) from error
