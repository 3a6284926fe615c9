"""What a fresh cloud gets so that something can be booted in it: an image, flavors, an external network.

Each is booked in the ledger inside of the cloud, so that it goes with that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.resources import KINDS, listed
from rallyflow.clouds.rest import CloudSession
from rallyflow.deployers.debian.inputs import Base
from rallyflow.model.step import StepContext
from rallyflow.model.values import Cloud

_CONTENT = b"\0" * 4096
_MEMORY = 64  # MiB of the first flavor


def make_base(cloud: Cloud, base: Base, context: StepContext) -> None:
    """Make what is not there yet. Raises the errors of a cloud."""
    session = sign_in(cloud)

    def ensure(kind: str, name: str, make: Callable[[], str]) -> None:
        if any(entry.get("name") == name for entry in listed(session, KINDS[kind])):
            return
        detail = {"cloud": cloud.model_dump(mode="json")}
        row = context.ledger.intend(f"openstack.{kind}", name, inside=cloud.ledger_id, detail=detail)
        context.ledger.created(row, make())

    if base.image:
        _finish_images(session, base.image)
        ensure("image", base.image, lambda: _image(session, base.image))
    for step, name in enumerate(base.flavors):
        ensure("flavor", name, lambda step=step, name=name: _flavor(session, name, _MEMORY << step))  # type: ignore[misc]
    if base.network:
        ensure("network", base.network, lambda: _network(session, base.network))
        _subnet(session, base.network)


def _image(session: CloudSession, name: str) -> str:
    image = session.service("image")
    body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    made = str(image.post("/images", body).json()["id"])
    image.upload(f"/images/{made}/file", _CONTENT, len(_CONTENT))
    return made


def _finish_images(session: CloudSession, name: str) -> None:
    """Upload what an attempt that was cut off has not."""
    image = session.service("image")
    for entry in listed(session, KINDS["image"]):
        if entry.get("name") == name and entry["status"] == "queued":
            image.upload(f"/images/{entry['id']}/file", _CONTENT, len(_CONTENT))


def _flavor(session: CloudSession, name: str, memory: int) -> str:
    """Make a flavor. Its disk is not empty: for those nova wants a volume."""
    body: dict[str, Any] = {"name": name, "ram": memory, "vcpus": 1, "disk": 1}
    return str(session.service("compute").post("/flavors", {"flavor": body}).json()["flavor"]["id"])


def _network(session: CloudSession, name: str) -> str:
    body = {
        "name": name,
        "router:external": True,
        "provider:network_type": "flat",
        "provider:physical_network": name,
    }
    return str(session.service("network").post("/networks", {"network": body}).json()["network"]["id"])


def _subnet(session: CloudSession, name: str) -> None:
    network = session.service("network")
    found = network.get(f"/networks?name={name}").json()["networks"]
    if found and not found[0]["subnets"]:
        body = {"network_id": found[0]["id"], "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": False}
        network.post("/subnets", {"subnet": {"name": name, **body}})
