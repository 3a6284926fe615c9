"""Networks and subnets."""

from __future__ import annotations

from rallyflow.bench.actions.actor import Actor, NetworkId, SubnetId
from rallyflow.bench.actions.registry import action

_NETWORK = ("network",)
_GONE = (404,)


@action("neutron.create_network", services=_NETWORK)
def create_network(actor: Actor) -> NetworkId:
    """Create a network."""
    made = actor.network.post("/networks", {"network": {"name": actor.name()}}).json()["network"]
    return NetworkId(made["id"])


@action("neutron.get_network", services=_NETWORK)
def get_network(actor: Actor, *, network: NetworkId) -> None:
    """Show one network."""
    actor.network.get(f"/networks/{network}").json()


@action("neutron.list_networks", services=_NETWORK)
def list_networks(actor: Actor) -> None:
    """List the networks that the tenant sees."""
    actor.network.get("/networks").json()


@action("neutron.delete_network", services=_NETWORK)
def delete_network(actor: Actor, *, network: NetworkId) -> None:
    """Delete a network."""
    actor.network.delete(f"/networks/{network}", accept=_GONE)


@action("neutron.create_subnet", services=_NETWORK)
def create_subnet(actor: Actor, *, network: NetworkId, cidr: str = "10.250.0.0/24") -> SubnetId:
    """Create an IPv4 subnet in a network."""
    body = {"name": actor.name(), "network_id": network, "cidr": cidr, "ip_version": 4}
    return SubnetId(actor.network.post("/subnets", {"subnet": body}).json()["subnet"]["id"])


@action("neutron.list_subnets", services=_NETWORK)
def list_subnets(actor: Actor) -> None:
    """List the subnets that the tenant sees."""
    actor.network.get("/subnets").json()


@action("neutron.delete_subnet", services=_NETWORK)
def delete_subnet(actor: Actor, *, subnet: SubnetId) -> None:
    """Delete a subnet."""
    actor.network.delete(f"/subnets/{subnet}", accept=_GONE)
