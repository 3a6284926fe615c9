"""Removes containers and their networks from the ledger's rows alone; and by the tags in their names without one."""

from __future__ import annotations

from rallyflow.errors import ContainerFailed
from rallyflow.model.records import Resource
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine
from rallyflow.servers.providers.lxc.images import agent_of

NETWORK = "lxc.network"
"""The bridge of a step on one host, with its vxlan, NAT and forwarded ports; named after the bridge."""
SERVER = "lxc.server"
"""One container, by its name."""
_REMOVING = 1800.0  # seconds


class LxcObjects:
    """The handler of the kinds `lxc.network` and `lxc.server`; `detail.host` is the host as a Server."""

    def delete(self, resource: Resource) -> None:
        """Remove a container or a network, complete, half made or gone already.

        Raises ContainerFailed, or what can happen on the way to the host.
        """
        host = host_of(resource)
        with Machine(host) as machine:
            agent = agent_of(machine)
            if resource.kind == SERVER:
                found = agent.call("containers.delete", timeout=_REMOVING, names=[resource.name])
                error = found[resource.name].get("error")
                if error:
                    raise agent.failure(error)
            elif resource.kind == NETWORK:
                vxlan = resource.detail.get("vxlan", "")
                agent.call("networks.delete", bridge=resource.detail["bridge"], vxlan=vxlan)
            else:
                raise ContainerFailed(f"{resource.kind} is no kind of this provider")


def host_of(resource: Resource) -> Server:
    """Return the host that a resource is on; ContainerFailed when the ledger does not say."""
    try:
        return Server.model_validate(resource.detail["host"])
    except (KeyError, ValueError) as error:
        raise ContainerFailed(f"the ledger does not say on which host {resource.name!r} is") from error
