"""What there is beside the collections: extensions, agents, availability zones."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.neutron.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_EXTENSIONS = {
    alias: {
        "alias": alias,
        "name": name,
        "description": name,
        "links": [],
        "updated": "2026-04-01T00:00:00-00:00",
    }
    for alias, name in {
        "agent": "agent",
        "availability_zone": "Availability Zone",
        "external-net": "Neutron external network",
        "net-mtu": "Network MTU",
        "port-security": "Port Security",
        "quotas": "Quota management support",
        "quota_details": "Quota details management support",
        "router": "Neutron L3 Router",
        "security-group": "security-group",
        "standard-attr-description": "standard-attr-description",
    }.items()
}
_AGENTS = (
    ("00000000-0000-0000-0001-000000000001", "DHCP agent", "neutron-dhcp-agent"),
    ("00000000-0000-0000-0001-000000000002", "L3 agent", "neutron-l3-agent"),
    ("00000000-0000-0000-0001-000000000003", "Open vSwitch agent", "neutron-openvswitch-agent"),
)


@SERVICE.route("GET", "/extensions", "list_extensions")
def list_extensions(_request: Request) -> Response:
    """List the extensions."""
    return Response({"extensions": list(_EXTENSIONS.values())})


@SERVICE.route("GET", "/extensions/{}", "get_extension")
def get_extension(request: Request) -> Response:
    """Show an extension."""
    extension = _EXTENSIONS.get(request.args[0])
    if extension is None:
        raise Fault(404, f"Extension with alias {request.args[0]} does not exist", "ExtensionNotFound")
    return Response({"extension": extension})


@SERVICE.route("GET", "/agents", "list_agents")
def list_agents(request: Request) -> Response:
    """List the agents that a real cloud would have."""
    request.need_admin("get_agent")
    agents: list[Row] = [
        {
            "id": key,
            "agent_type": kind,
            "binary": binary,
            "host": "embedded-network",
            "alive": True,
            "admin_state_up": True,
            "availability_zone": "nova",
            "topic": "N/A",
            "configurations": {},
            "heartbeat_timestamp": clock.now(),
            "started_at": clock.now(),
            "created_at": clock.now(),
        }
        for key, kind, binary in _AGENTS
    ]
    return Response({"agents": agents})


@SERVICE.route("GET", "/availability_zones", "list_availability_zones")
def list_zones(_request: Request) -> Response:
    """List the one availability zone, of networks and of routers."""
    zones = [{"name": "nova", "resource": kind, "state": "available"} for kind in ("network", "router")]
    return Response({"availability_zones": zones})
