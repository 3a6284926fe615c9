"""How servers get their ports: what the compute service asks of the network service."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron import ports
from rallyflow.clouds.embedded.services.neutron.collection import visible
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Identity


def plug(cloud: Simulation, identity: Identity, server: str, networks: Any) -> list[Row]:
    """Make (or bind) the ports that a new server asks for, and return its addresses; Fault 400 or 409.

    `networks` is `none`, `auto`, a list of {uuid | port, fixed_ip}, or None for the only network there is.
    """
    if networks == "none":
        return []
    if networks in (None, "auto", []):
        network = _only_network(cloud, identity, auto=networks == "auto")
        return [_plug_network(cloud, identity, server, network, "")] if network else []
    if not isinstance(networks, list):
        raise Fault(400, f"Invalid input for field/attribute networks. Value: {networks}.")
    plugged: list[Row] = []
    try:
        for wanted in networks:
            plugged.append(_plug(cloud, identity, server, wanted))  # noqa: PERF401 - the list is needed on failure
    except Fault:
        unplug(cloud, {"nics": plugged})
        raise
    return plugged


def unplug(cloud: Simulation, server: Row) -> None:
    """Remove the ports that were made for a server, and free those that were given to it."""
    for nic in server["nics"]:
        port = cloud.store.get("ports", nic["port"])
        if port is None:
            continue
        if nic["given"]:
            cloud.store.put("ports", port | {"device_id": "", "device_owner": "", "status": "DOWN"})
        else:
            ports.PORTS.drop(cloud, port)


def floating(cloud: Simulation, port: str, address: str) -> None:
    """Show a floating address on the server that a port belongs to, or no longer (an empty text)."""
    row = cloud.store.get("ports", port)
    server = row and cloud.store.get("servers", row["device_id"])
    if not row or not server:
        return
    kept = [nic for nic in server["nics"] if nic["port"] != port or nic.get("kind") != "floating"]
    fixed = next((nic for nic in kept if nic["port"] == port), None)
    if address and fixed:
        kept = [*kept, fixed | {"address": address, "kind": "floating", "given": True}]
    cloud.store.put("servers", server | {"nics": kept})


def _only_network(cloud: Simulation, identity: Identity, *, auto: bool) -> Row | None:
    rows = [n for n in cloud.store.rows("networks") if not n["router:external"]]
    own = [n for n in rows if n["project_id"] == identity.project]
    shared = [n for n in rows if n["shared"] and n["project_id"] != identity.project]
    usable = (own or shared)[:1] if auto else own + shared
    if len(usable) > 1:
        raise Fault(409, "Multiple possible networks found, use a Network ID to be more specific.")
    return usable[0] if usable else None


def _plug(cloud: Simulation, identity: Identity, server: str, wanted: dict[str, Any]) -> Row:
    if wanted.get("port"):
        return _plug_port(cloud, identity, server, str(wanted["port"]))
    network = cloud.store.get("networks", str(wanted.get("uuid")))
    if network is None or not visible(identity, network):
        raise Fault(400, f"Network {wanted.get('uuid')} could not be found.")
    return _plug_network(cloud, identity, server, network, str(wanted.get("fixed_ip") or ""))


def _plug_network(cloud: Simulation, identity: Identity, server: str, network: Row, address: str) -> Row:
    if not any(subnet["network_id"] == network["id"] for subnet in cloud.store.rows("subnets")):
        raise Fault(400, f"Network {network['id']} requires a subnet in order to boot instances on.")
    content: Row = {"network_id": network["id"], "device_id": server, "device_owner": "compute:nova"}
    if address:
        content["fixed_ips"] = [{"ip_address": address}]
    return _nic(network, ports.make(cloud, identity.project, content), given=False)


def _plug_port(cloud: Simulation, identity: Identity, server: str, key: str) -> Row:
    port = cloud.store.get("ports", key)
    if port is None or not identity.sees(port):
        raise Fault(404, f"Port id {key} could not be found.")
    if port["device_id"]:
        raise Fault(409, f"Port {key} is still in use.")
    bound = {"device_id": server, "device_owner": "compute:nova", "status": "ACTIVE"}
    cloud.store.put("ports", port | bound)
    return _nic(cloud.store.get("networks", port["network_id"]) or {}, port, given=True)


def _nic(network: Row, port: Row, *, given: bool) -> Row:
    address = port["fixed_ips"][0]["ip_address"] if port["fixed_ips"] else ""
    return {
        "network": network.get("name", ""),
        "address": address,
        "mac": port["mac_address"],
        "port": port["id"],
        "given": given,
    }
