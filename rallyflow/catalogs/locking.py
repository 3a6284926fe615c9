"""catalog.lock: which catalogs the workflows in a folder and below it use, each with the checksum of its content."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rallyflow.catalogs.models import LOCK_FILE, Lock, Pin
from rallyflow.catalogs.reading import read_file
from rallyflow.errors import StorageError

_HEAD = """\
# The catalogs that workflows in this folder and below it use by name, and what exactly each of them contains.
# Written by `rallyflow catalog add` and `rallyflow catalog update`; keep it with the workflows, and check it in.
"""


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock as it is on the disk; one that is not there yet pins nothing."""

    path: Path
    pins: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that relative sources are relative to."""
        return self.path.parent


def find_lock(base: Path) -> LockFile | None:
    """Return the lock in a folder, or else the nearest above it.

    Raises WorkflowInvalid when it is no lock, UsageError when it can't be read.
    """
    start = base.absolute()
    for folder in (start, *start.parents):
        path = folder / LOCK_FILE
        if path.is_file():
            return read_lock(path)
    return None


def read_lock(path: Path) -> LockFile:
    """Return a lock, empty when there is no such file."""
    if not path.exists():
        return LockFile(path)
    return LockFile(path, read_file(path, Lock).catalogs)


def write_lock(lock: LockFile) -> None:
    """Write a lock so that the old one or the new one is there, whole, at any instant."""
    import yaml

    from rallyflow.report.files import write_text

    pins = {name: pin.model_dump(exclude_defaults=True) for name, pin in sorted(lock.pins.items())}
    write_text(lock.path, _HEAD + yaml.safe_dump({"version": 1, "catalogs": pins}, sort_keys=False, width=1000))


@contextlib.contextmanager
def changing(path: Path) -> Iterator[LockFile]:
    """Give a lock to change, and let no other process change it inside the block."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield read_lock(path)
    finally:
        os.close(folder)
