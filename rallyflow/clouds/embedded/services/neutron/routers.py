"""Routers, their gateways and interfaces."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron import ports
from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked
from rallyflow.clouds.embedded.services.neutron.service import SERVICE
from rallyflow.clouds.embedded.services.neutron.subnets import SUBNETS
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_INTERFACE = "network:router_interface"
_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "admin_state_up": True,
    "external_gateway_info": None,
    "distributed": False,
    "ha": False,
    "availability_zone_hints": [],
    "flavor_id": None,
}
_CHANGEABLE = frozenset({"name", "description", "admin_state_up", "external_gateway_info", "routes"})


@SERVICE.route("PUT", "/routers/{}/add_router_interface", "add_router_interface")
def add_interface(request: Request) -> Response:
    """Plug a router into a subnet, or into a port."""
    router = ROUTERS.owned(request, request.args[0])
    content = request.document
    if content.get("port_id"):
        port = ports.PORTS.owned(request, str(content["port_id"]))
        bound = {"device_id": router["id"], "device_owner": _INTERFACE, "status": "ACTIVE"}
        return Response(_interface(router, request.cloud.store.put("ports", port | bound)))
    subnet = SUBNETS.find(request, str(content.get("subnet_id")))
    if _port_of(request.cloud, router, subnet["id"]):
        raise Fault(400, f"Router already has a port on subnet {subnet['id']}.", "BadRequest")
    gateway = {"subnet_id": subnet["id"]}
    fields: Row = {"network_id": subnet["network_id"], "device_id": router["id"], "device_owner": _INTERFACE}
    # The pool never hands out the gateway's address: the router is who has it.
    port = ports.make(request.cloud, router["project_id"], fields | {"fixed_ips": [gateway]})
    return Response(_interface(router, port))


@SERVICE.route("PUT", "/routers/{}/remove_router_interface", "remove_router_interface")
def remove_interface(request: Request) -> Response:
    """Unplug a router from a subnet or a port."""
    router, cloud = ROUTERS.owned(request, request.args[0]), request.cloud
    content = request.document
    port = cloud.store.get("ports", str(content.get("port_id"))) if content.get("port_id") else None
    if port is None or port["device_id"] != router["id"]:
        port = _port_of(cloud, router, str(content.get("subnet_id")))
    if port is None:
        raise Fault(404, f"Router {router['id']} has no interface there.", "RouterInterfaceNotFoundForSubnet")
    ports.PORTS.drop(cloud, port | {"device_owner": ""})
    return Response(_interface(router, port))


def _complete(request: Request, content: dict[str, Any]) -> Row:
    row = picked(content, _DEFAULTS)
    row["external_gateway_info"] = _gateway(request, row["external_gateway_info"])
    return row | {"status": "ACTIVE", "routes": [], "availability_zones": ["nova"], "tags": []}


def _update(request: Request, _row: Row, content: dict[str, Any]) -> Row:
    fields = changed(content, _CHANGEABLE)
    if "external_gateway_info" in fields:
        fields["external_gateway_info"] = _gateway(request, fields["external_gateway_info"])
    return fields


def _gateway(request: Request, info: Any) -> Row | None:
    if not info:
        return None
    network = request.cloud.store.get("networks", str(info.get("network_id")))
    if network is None:
        raise Fault(404, f"Network {info.get('network_id')} could not be found.", "NetworkNotFound")
    if not network["router:external"]:
        message = f"Bad router request: Network {network['id']} is not an external network."
        raise Fault(400, message, "BadRequest")
    return {"enable_snat": True, "external_fixed_ips": [], **info}


def _removing(cloud: Simulation, row: Row) -> None:
    if any(port["device_id"] == row["id"] for port in cloud.store.rows("ports")):
        raise Fault(409, f"Router {row['id']} still has ports", "RouterInUse")


def _port_of(cloud: Simulation, router: Row, subnet: str) -> Row | None:
    for port in cloud.store.rows("ports"):
        if port["device_id"] == router["id"] and any(f["subnet_id"] == subnet for f in port["fixed_ips"]):
            return port
    return None


def _interface(router: Row, port: Row) -> Row:
    subnet = port["fixed_ips"][0]["subnet_id"] if port["fixed_ips"] else ""
    return {
        "id": router["id"],
        "tenant_id": router["project_id"],
        "project_id": router["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnet,
        "subnet_ids": [subnet],
    }


ROUTERS = Collection("router", "routers", "/routers", "Router", _complete, _update, removing=_removing)
ROUTERS.register()
