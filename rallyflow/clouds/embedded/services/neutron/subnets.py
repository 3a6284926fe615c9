"""Subnets, and the ranges of addresses that they hand out."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request

_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "network_id": "",
    "cidr": "",
    "ip_version": 4,
    "gateway_ip": "",
    "enable_dhcp": True,
    "dns_nameservers": [],
    "host_routes": [],
    "allocation_pools": [],
    "subnetpool_id": None,
    "ipv6_address_mode": None,
    "ipv6_ra_mode": None,
    "segment_id": None,
    "service_types": [],
    "prefixlen": None,
}
_CHANGEABLE = frozenset({"name", "description", "gateway_ip", "enable_dhcp", "dns_nameservers", "host_routes"})


def completed(cloud: Simulation, content: dict[str, Any]) -> Row:
    """Return the fields of a new subnet; Fault 400 or 409."""
    row = picked(content, _DEFAULTS)
    network = cidr(str(row["cidr"]))
    if network.version != row["ip_version"]:
        raise Fault(400, f"cidr {network} does not fit ip_version {row['ip_version']}", "InvalidInput")
    for other in cloud.store.rows("subnets"):
        if other["network_id"] == row["network_id"] and ip_network(other["cidr"]).overlaps(network):
            message = f"Requested subnet with cidr: {network} overlaps with another subnet of its network"
            raise Fault(400, f"Invalid input for operation: {message}.", "InvalidInput")
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - (network.version == 4)
    if row["gateway_ip"] == "":
        row["gateway_ip"] = str(ip_address(first))
    if not row["allocation_pools"]:
        start = first + 1 if row["gateway_ip"] == str(ip_address(first)) else first
        row["allocation_pools"] = [{"start": str(ip_address(start)), "end": str(ip_address(last))}]
    row.pop("prefixlen")
    return row | {"cidr": str(network), "tags": []}


def cidr(text: str) -> IPv4Network | IPv6Network:
    """Return a range of addresses; Fault 400."""
    try:
        return ip_network(text)
    except ValueError:
        message = f"Invalid input for cidr. Reason: '{text}' is not a valid IP subnet."
        raise Fault(400, message, "HTTPBadRequest") from None


def _complete(request: Request, content: dict[str, Any]) -> Row:
    network = request.cloud.store.get("networks", str(content.get("network_id")))
    if network is None or not request.identity.sees(network):
        raise Fault(404, f"Network {content.get('network_id')} could not be found.", "NetworkNotFound")
    return completed(request.cloud, content)


def _update(_request: Request, _row: Row, content: dict[str, Any]) -> Row:
    return changed(content, _CHANGEABLE)


def _removing(cloud: Simulation, row: Row) -> None:
    for port in cloud.store.rows("ports"):
        if any(fixed["subnet_id"] == row["id"] for fixed in port["fixed_ips"]):
            what = "One or more ports have an IP allocation from this subnet."
            message = f"Unable to complete operation on subnet {row['id']}: {what}"
            raise Fault(409, message, "SubnetInUse")


def _removed(cloud: Simulation, row: Row) -> None:
    cloud.addresses.forget(row["id"])


SUBNETS = Collection(
    "subnet", "subnets", "/subnets", "Subnet", _complete, _update, removing=_removing, removed=_removed
)
SUBNETS.register()
