"""The content of a catalog's folder as one checksum: every name and every byte, and nothing outside of the folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rallyflow.catalogs.problem import INVALID, CatalogProblem

_NOT_CONTENT = frozenset({".git", "__pycache__", ".rallyflow"})  # history, and what running leaves
_MOST_FILES = 10_000
_MOST_BYTES = 256 << 20


def sha256_of(folder: Path, *, without: Path | None = None) -> str:
    """Return the checksum of a catalog's folder; `without` is a file in it that does not count.

    Raises CatalogProblem for links that lead out of the folder, for what is no file, and when it can't be read.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(_entries(folder, folder, without), key=os.fsencode):
            name = os.fsencode(path.relative_to(folder))
            kind, content = _content(path)
            digest.update(b"%s %d %d\n%s\n" % (kind, len(name), len(content), name))
            digest.update(content)
    except OSError as error:
        raise CatalogProblem(INVALID, f"can't read {error.filename or folder}: {error.strerror}") from error
    return digest.hexdigest()


def _entries(folder: Path, root: Path, without: Path | None) -> Iterator[Path]:
    """Yield the files and links below a folder that are content."""
    files = size = 0
    todo = [folder]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.name in _NOT_CONTENT or entry.name.endswith(".pyc") or path == without:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
                    continue
                status = entry.stat(follow_symlinks=False)
                _check(path, status.st_mode, root)
                files, size = files + 1, size + status.st_size
                if files > _MOST_FILES or size > _MOST_BYTES:
                    what = f"{root} has more than {_MOST_FILES} files or {_MOST_BYTES >> 20} MiB, which is no catalog"
                    raise CatalogProblem(INVALID, what, "give the catalog a folder of its own")
                yield path


def _check(path: Path, mode: int, root: Path) -> None:
    if stat.S_ISLNK(mode):
        if not _leads_inside(path, root):
            raise CatalogProblem(
                INVALID,
                f"{path} is a link that leads out of the catalog's folder",
                "put a copy of the file there: only what is in the folder can be pinned",
            )
    elif not stat.S_ISREG(mode):
        raise CatalogProblem(INVALID, f"{path} is neither a file nor a folder", "remove it")


def _leads_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # links in a circle
        return False


def _content(path: Path) -> tuple[bytes, bytes]:
    """Return what stands for a file: its bytes; of a link the name that it leads to, whose content counts itself."""
    if path.is_symlink():
        return b"link", os.fsencode(path.readlink())
    return b"file", path.read_bytes()
