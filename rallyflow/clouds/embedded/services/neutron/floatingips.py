"""Floating addresses of external networks."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron import nics
from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked
from rallyflow.clouds.embedded.services.neutron.ports import PORTS, make
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request

_DEFAULTS: Row = {
    "floating_network_id": "",
    "floating_ip_address": "",
    "port_id": None,
    "fixed_ip_address": None,
    "description": "",
    "subnet_id": None,
    "dns_name": "",
    "dns_domain": "",
    "qos_policy_id": None,
}


def _complete(request: Request, content: dict[str, Any]) -> Row:
    row, cloud = picked(content, _DEFAULTS), request.cloud
    network = cloud.store.get("networks", str(row["floating_network_id"]))
    if network is None:
        raise Fault(404, f"Network {row['floating_network_id']} could not be found.", "NetworkNotFound")
    if not network["router:external"]:
        raise Fault(
            400,
            f"Bad floatingip request: Network {network['id']} is not a valid external network.",
            "BadRequest",
        )
    subnet = next((s for s in cloud.store.rows("subnets") if s["network_id"] == network["id"]), None)
    if subnet is None:
        raise Fault(409, "No more IP addresses available on the network.", "IpAddressGenerationFailure")
    bound = _bound(request, row["port_id"])
    fields: Row = {"network_id": network["id"], "device_owner": "network:floatingip", "security_groups": []}
    fields["fixed_ips"] = [{"subnet_id": subnet["id"], "ip_address": row["floating_ip_address"]}]
    port = make(cloud, "", fields)  # of no project, as neutron has it
    address = port["fixed_ips"][0]["ip_address"]
    if row["port_id"]:
        nics.floating(cloud, str(row["port_id"]), address)
    row.pop("subnet_id")
    return row | bound | {"floating_ip_address": address, "_port": port["id"], "router_id": None, "tags": []}


def _update(request: Request, row: Row, content: dict[str, Any]) -> Row:
    fields = changed(content, frozenset({"port_id", "fixed_ip_address", "description"}))
    if "port_id" not in fields:
        return fields
    bound = _bound(request, fields["port_id"])
    if row["port_id"]:
        nics.floating(request.cloud, row["port_id"], "")
    if fields["port_id"]:
        nics.floating(request.cloud, str(fields["port_id"]), row["floating_ip_address"])
    return fields | bound


def _bound(request: Request, key: Any) -> Row:
    """Return the fields that follow from the port that an address points to."""
    if not key:
        return {"status": "DOWN", "fixed_ip_address": None, "port_details": None}
    port = PORTS.find(request, str(key))
    names = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    address = port["fixed_ips"][0]["ip_address"] if port["fixed_ips"] else None
    return {"status": "ACTIVE", "fixed_ip_address": address, "port_details": {n: port[n] for n in names}}


def _removed(cloud: Simulation, row: Row) -> None:
    if row["port_id"]:
        nics.floating(cloud, row["port_id"], "")
    port = cloud.store.get("ports", row["_port"])
    if port:
        PORTS.drop(cloud, port)


def _shown(_cloud: Simulation, row: Row) -> Row:
    return {key: value for key, value in row.items() if not key.startswith("_")}


FLOATING_IPS = Collection(
    "floatingip",
    "floatingips",
    "/floatingips",
    "FloatingIP",
    _complete,
    _update,
    removed=_removed,
    shown=_shown,
)
FLOATING_IPS.register()
