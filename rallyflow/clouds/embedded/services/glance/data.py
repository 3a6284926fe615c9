"""The bytes of images: one file each beside the log of rows, whole or not there."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row


def write(cloud: Simulation, row: Row, content: bytes) -> Row:
    """Keep the bytes of an image and make it active; returns its row."""
    path = _path(cloud, row["id"])
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.rename(path)
    return cloud.store.put("images", row | {"status": "active", "size": len(content), **_hashes(content)})


def write_zeros(cloud: Simulation, row: Row, size: int) -> Row:
    """Make an image active whose bytes are zeros that take no room on the disk; returns its row."""
    with _path(cloud, row["id"]).open("wb") as file:
        file.truncate(size)
    return cloud.store.put("images", row | {"status": "active", "size": size, **_hashes_of_zeros(size)})


def read(cloud: Simulation, image: str) -> bytes:
    """Return the bytes of an active image."""
    return _path(cloud, image).read_bytes()


def remove(cloud: Simulation, image: str) -> None:
    """Remove the bytes of an image, if it has any."""
    _path(cloud, image).unlink(missing_ok=True)


def _path(cloud: Simulation, image: str) -> Path:
    folder = cloud.store.folder / "images"
    folder.mkdir(exist_ok=True)
    return folder / image


def _hashes(content: bytes) -> Row:
    return {
        "checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "os_hash_algo": "sha512",
        "os_hash_value": hashlib.sha512(content).hexdigest(),
    }


@cache
def _hashes_of_zeros(size: int) -> Row:
    return _hashes(bytes(size))
