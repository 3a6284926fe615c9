"""Quotas of projects for network objects."""

from __future__ import annotations

from rallyflow.clouds.embedded.services.neutron.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

# High enough that no workflow meets them by accident.
DEFAULTS = {
    "network": 10_000,
    "subnet": 10_000,
    "port": 100_000,
    "router": 10_000,
    "floatingip": 10_000,
    "security_group": 10_000,
    "security_group_rule": 100_000,
    "subnetpool": -1,
    "rbac_policy": 10,
}


def check(cloud: Simulation, project: str, singular: str, plural: str) -> None:
    """Raise Fault 409 when a project may not have one more."""
    limit = limits_of(cloud, project).get(singular, -1)
    if 0 <= limit <= len(cloud.store.table(plural).of(project)):
        raise Fault(409, f"Quota exceeded for resources: ['{singular}'].", "OverQuota")


def limits_of(cloud: Simulation, project: str) -> Row:
    """Return the quotas of a project; -1 is unlimited."""
    kept = cloud.store.get("quotas.neutron", project)
    return DEFAULTS | {key: value for key, value in (kept or {}).items() if key != "id"}


@SERVICE.route("GET", "/quotas/{}", "get_quotas")
def get_quotas(request: Request) -> Response:
    """Show the quotas of a project."""
    return Response({"quota": limits_of(request.cloud, request.args[0])})


@SERVICE.route("GET", "/quotas/{}/default", "get_quotas")
def get_default_quotas(_request: Request) -> Response:
    """Show what a project has that nobody gave quotas."""
    return Response({"quota": DEFAULTS})


@SERVICE.route("GET", "/quotas/{}/details.json", "get_quotas")
def get_quota_details(request: Request) -> Response:
    """Show the quotas of a project and how much of them is used."""
    store, project = request.cloud.store, request.args[0]
    limits = limits_of(request.cloud, project)
    details = {
        name: {"limit": limit, "used": len(store.table(f"{name}s").of(project)), "reserved": 0}
        for name, limit in limits.items()
    }
    return Response({"quota": details})


@SERVICE.route("PUT", "/quotas/{}", "update_quotas")
def update_quotas(request: Request) -> Response:
    """Set some quotas of a project."""
    request.need_admin("update_quota")
    content = {key: value for key, value in request.content("quota").items() if key in DEFAULTS}
    if not all(isinstance(value, int) and value >= -1 for value in content.values()):
        raise Fault(400, "Invalid input for quota: it must be an integer of at least -1.")
    limits = limits_of(request.cloud, request.args[0]) | content
    request.cloud.store.put("quotas.neutron", limits | {"id": request.args[0]})
    return Response({"quota": limits})


@SERVICE.route("DELETE", "/quotas/{}", "delete_quotas")
def delete_quotas(request: Request) -> Response:
    """Give a project the default quotas again."""
    request.need_admin("delete_quota")
    request.cloud.store.remove("quotas.neutron", request.args[0])
    return Response(status=204)
