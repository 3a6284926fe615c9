"""Networks."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron import subnets
from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request

_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "admin_state_up": True,
    "shared": False,
    "router:external": False,
    "is_default": False,
    "mtu": 1450,
    "port_security_enabled": True,
    "provider:network_type": None,
    "provider:physical_network": None,
    "provider:segmentation_id": None,
    "availability_zone_hints": [],
    "dns_domain": "",
    "qos_policy_id": None,
}
_ADMIN_FIELDS = ("shared", "router:external", "provider:network_type", "provider:segmentation_id")
_CHANGEABLE = frozenset(
    {"name", "description", "admin_state_up", "shared", "router:external", "mtu", "port_security_enabled"}
)


def completed(content: dict[str, Any]) -> Row:
    """Return the fields of a new network."""
    derived = {"status": "ACTIVE", "availability_zones": ["nova"], "vlan_transparent": None, "tags": []}
    return picked(content, _DEFAULTS) | derived


def _complete(request: Request, content: dict[str, Any]) -> Row:
    if any(content.get(name) for name in _ADMIN_FIELDS):
        request.need_admin("create_network with attributes of the provider")
    return completed(content)


def _update(request: Request, _row: Row, content: dict[str, Any]) -> Row:
    if any(name in content for name in _ADMIN_FIELDS):
        request.need_admin("update_network with attributes of the provider")
    return changed(content, _CHANGEABLE)


def _removing(cloud: Simulation, row: Row) -> None:
    if any(port["network_id"] == row["id"] for port in cloud.store.rows("ports")):
        message = (
            f"Unable to complete operation on network {row['id']}. There are one or more ports still in use "
            "on the network."
        )
        raise Fault(409, message, "NetworkInUse")


def _removed(cloud: Simulation, row: Row) -> None:
    for subnet in [s for s in cloud.store.rows("subnets") if s["network_id"] == row["id"]]:
        subnets.SUBNETS.drop(cloud, subnet)


def _shown(cloud: Simulation, row: Row) -> Row:
    return row | {"subnets": [s["id"] for s in cloud.store.rows("subnets") if s["network_id"] == row["id"]]}


NETWORKS = Collection(
    "network",
    "networks",
    "/networks",
    "Network",
    _complete,
    _update,
    removing=_removing,
    removed=_removed,
    shown=_shown,
)
NETWORKS.register()
