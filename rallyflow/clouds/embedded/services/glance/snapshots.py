"""Images that are made of servers: reserved at once, filled when the compute host has made them."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.glance import data, images
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row

BYTES_PER_GIB = 64 * 1024
"""How many bytes a snapshot has for each GiB of the flavor's disk."""


def reserve(cloud: Simulation, server: Row, name: str, metadata: dict[str, Any]) -> str:
    """Make the queued image of a server; returns its id."""
    content = {
        "name": name,
        "visibility": "private",
        "container_format": "bare",
        "disk_format": "qcow2",
        "min_disk": server["flavor"]["disk"],
        "image_type": "snapshot",
        "instance_uuid": server["id"],
        "base_image_ref": server["image"],
        **{str(key): str(value) for key, value in metadata.items()},
    }
    return str(images.make(cloud, server["project_id"], content)["id"])


def begin(cloud: Simulation, image: str) -> None:
    """Mark an image as being filled."""
    row = cloud.store.get("images", image)
    if row:
        cloud.store.put("images", row | {"status": "saving"})


def finish(cloud: Simulation, image: str, disk_gib: int) -> None:
    """Fill an image; one that was removed meanwhile stays removed."""
    row = cloud.store.get("images", image)
    if row:
        data.write_zeros(cloud, row, max(1, disk_gib) * BYTES_PER_GIB)


def fail(cloud: Simulation, image: str) -> None:
    """Mark an image as one that never came."""
    row = cloud.store.get("images", image)
    if row:
        cloud.store.put("images", row | {"status": "killed"})
