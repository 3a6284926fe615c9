"""Ports, and the addresses that they hold."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron import quotas, security
from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked, visible
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request

_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "network_id": "",
    "admin_state_up": True,
    "mac_address": "",
    "fixed_ips": [],
    "device_id": "",
    "device_owner": "",
    "security_groups": None,
    "allowed_address_pairs": [],
    "extra_dhcp_opts": [],
    "port_security_enabled": True,
    "binding:vnic_type": "normal",
    "binding:host_id": "",
    "binding:profile": {},
    "dns_name": "",
    "qos_policy_id": None,
}
_CHANGEABLE = frozenset(
    {
        "name",
        "description",
        "admin_state_up",
        "device_id",
        "device_owner",
        "security_groups",
        "allowed_address_pairs",
        "port_security_enabled",
        "binding:host_id",
        "binding:profile",
        "binding:vnic_type",
        "dns_name",
    }
)


def completed(cloud: Simulation, project: str, content: dict[str, Any]) -> Row:
    """Return the fields of a new port with its addresses taken; Fault 400 or 409."""
    row = picked(content, _DEFAULTS)
    if row["security_groups"] is None:
        row["security_groups"] = [security.default_group(cloud, project)["id"]]
    row["fixed_ips"] = _take_addresses(cloud, row["network_id"], row["fixed_ips"])
    row["mac_address"] = row["mac_address"] or cloud.addresses.mac()
    return row | {"status": "ACTIVE" if row["device_id"] else "DOWN", "tags": []}


def make(cloud: Simulation, project: str, content: dict[str, Any]) -> Row:
    """Insert a port for a project."""
    quotas.check(cloud, project, PORTS.singular, PORTS.plural)  # before an address is taken
    return PORTS.insert(cloud, project, completed(cloud, project, content))


def _take_addresses(cloud: Simulation, network: str, wanted: list[Row]) -> list[Row]:
    subnets = [row for row in cloud.store.rows("subnets") if row["network_id"] == network]
    if not wanted:
        wanted = [{"subnet_id": subnet["id"]} for subnet in subnets[:1]]
    taken = []
    for fixed in wanted:
        subnet = next((row for row in subnets if row["id"] == fixed.get("subnet_id", row["id"])), None)
        if subnet is None:
            raise Fault(404, f"Subnet {fixed.get('subnet_id')} could not be found.", "SubnetNotFound")
        address = cloud.addresses.take(subnet, str(fixed.get("ip_address") or ""))
        taken.append({"subnet_id": subnet["id"], "ip_address": address})
    return taken


def _complete(request: Request, content: dict[str, Any]) -> Row:
    network = request.cloud.store.get("networks", str(content.get("network_id")))
    if network is None or not visible(request.identity, network):
        raise Fault(404, f"Network {content.get('network_id')} could not be found.", "NetworkNotFound")
    project = content.get("project_id") or content.get("tenant_id") or request.identity.project
    return completed(request.cloud, str(project), content)


def _update(_request: Request, row: Row, content: dict[str, Any]) -> Row:
    fields = changed(content, _CHANGEABLE)
    device = fields.get("device_id", row["device_id"])
    return fields | {"status": "ACTIVE" if device else "DOWN"}


def _removing(_cloud: Simulation, row: Row) -> None:
    if row["device_owner"].startswith("network:router_interface"):
        message = (
            f"Port {row['id']} cannot be deleted directly via the port API: has device owner {row['device_owner']}."
        )
        raise Fault(409, message, "ServicePortInUse")


def _removed(cloud: Simulation, row: Row) -> None:
    cloud.addresses.give_back(row)
    for address in [a for a in cloud.store.rows("floatingips") if a["port_id"] == row["id"]]:
        fields = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
        cloud.store.put("floatingips", address | fields)


PORTS = Collection("port", "ports", "/ports", "Port", _complete, _update, removing=_removing, removed=_removed)
PORTS.register()
