"""Volumes."""

from __future__ import annotations

from typing import Any

from rallyflow.bench.actions.actor import Actor, VolumeId
from rallyflow.bench.actions.registry import action
from rallyflow.bench.actions.waiting import wait_for
from rallyflow.errors import CloudAnswered

_BLOCK_STORAGE = ("block-storage",)
_GONE = (404,)


@action("cinder.create_volume", services=_BLOCK_STORAGE)
def create_volume(actor: Actor, *, size: int = 1, volume_type: str = "") -> VolumeId:
    """Create a volume of `size` GiB and wait until it is available."""
    volume: dict[str, Any] = {"name": actor.name(), "size": size}
    if volume_type:
        volume["volume_type"] = volume_type
    made = actor.block_storage.post("/volumes", {"volume": volume}).json()["volume"]
    identity = VolumeId(made["id"])
    wait_for(
        lambda: _available(actor, identity),
        what=f"volume {identity} to be available",
        timeout=actor.wait_timeout,
    )
    return identity


@action("cinder.get_volume", services=_BLOCK_STORAGE)
def get_volume(actor: Actor, *, volume: VolumeId) -> None:
    """Show one volume."""
    actor.block_storage.get(f"/volumes/{volume}").json()


@action("cinder.list_volumes", services=_BLOCK_STORAGE)
def list_volumes(actor: Actor, *, detailed: bool = True) -> None:
    """List the tenant's volumes."""
    actor.block_storage.get("/volumes/detail" if detailed else "/volumes").json()


@action("cinder.delete_volume", services=_BLOCK_STORAGE)
def delete_volume(actor: Actor, *, volume: VolumeId) -> None:
    """Delete a volume and wait until Cinder no longer knows it."""
    actor.block_storage.delete(f"/volumes/{volume}", accept=_GONE)
    wait_for(lambda: _gone(actor, volume), what=f"volume {volume} to be deleted", timeout=actor.wait_timeout)


def _available(actor: Actor, volume: VolumeId) -> bool | None:
    status = actor.block_storage.get(f"/volumes/{volume}").json()["volume"]["status"]
    if status.startswith("error"):
        raise CloudAnswered(f"volume {volume} went into the state {status!r}")
    return True if status == "available" else None


def _gone(actor: Actor, volume: VolumeId) -> bool | None:
    reply = actor.block_storage.get(f"/volumes/{volume}", accept=_GONE)
    if reply.status == 404:
        return True
    status = reply.json()["volume"]["status"]
    if status == "error_deleting":
        raise CloudAnswered(f"volume {volume} could not be deleted")
    return None
