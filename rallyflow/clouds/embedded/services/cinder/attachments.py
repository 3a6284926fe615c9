"""How volumes come to servers: what the compute service asks of the volume service."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder import work
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Identity


def attach(cloud: Simulation, identity: Identity, server: Row, volume: str) -> None:
    """Attach an available volume; Fault 400 or 404."""
    row = cloud.store.get("volumes", volume)
    if row is None or not identity.sees(row):
        raise Fault(404, f"Volume {volume} could not be found.")
    if row["status"] != "available":
        message = f"Invalid volume: volume {volume} status must be 'available'. Currently in '{row['status']}'"
        raise Fault(400, message)
    attachment = {
        "id": volume,
        "attachment_id": clock.new_id(),
        "volume_id": volume,
        "server_id": server["id"],
        "device": "/dev/vdb",
        "host_name": None,
        "attached_at": clock.precisely().rstrip("Z"),
    }
    work.change(cloud, "volumes", row, status="in-use", attachments=[attachment])


def detach(cloud: Simulation, volume: str) -> None:
    """Make a volume available again, if it is there and in use."""
    row = cloud.store.get("volumes", volume)
    if row and row["status"] == "in-use":
        work.change(cloud, "volumes", row, status="available", attachments=[])


def attach_boot_volumes(cloud: Simulation, identity: Identity, server: Row, mapping: list[Any]) -> list[str]:
    """Attach what a new server boots from, and return the ids of the volumes; Fault 400 or 404."""
    volumes = []
    for device in mapping:
        if not isinstance(device, dict):
            raise Fault(400, "Block Device Mapping is Invalid.")
        if device.get("source_type") == "volume":
            volume = str(device.get("uuid"))
            attach(cloud, identity, server, volume)
            volumes.append(volume)
    return volumes


def detach_all(cloud: Simulation, server: Row) -> None:
    """Detach the volumes of a server that is gone."""
    for volume in server["volumes"]:
        detach(cloud, volume)
