"""Quotas of projects: kept, shown, and held against every new server."""

from __future__ import annotations

from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

# High enough that no workflow meets them by accident: hundreds of servers of one user are the usual load.
DEFAULTS = {
    "instances": 10_000,
    "cores": 40_000,
    "ram": 100_000_000,
    "key_pairs": 10_000,
    "metadata_items": 128,
    "server_groups": 100,
    "server_group_members": 1000,
    "injected_files": 5,
    "injected_file_content_bytes": 10_240,
    "injected_file_path_bytes": 255,
}


def check_servers(cloud: Simulation, project: str, flavor: Row, count: int) -> None:
    """Raise Fault 403 when a project may not have `count` more servers of a flavor."""
    used, limits = _used(cloud, project), limits_of(cloud, project)
    asked = {"instances": count, "cores": count * flavor["vcpus"], "ram": count * flavor["ram"]}
    over = [name for name, amount in asked.items() if 0 <= limits[name] < used[name] + amount]
    if not over:
        return

    def joined(numbers: Row) -> str:
        return ", ".join(str(numbers[name]) for name in over)

    raise Fault(
        403,
        f"Quota exceeded for {', '.join(over)}: Requested {joined(asked)}, but already used {joined(used)} "
        f"of {joined(limits)} {', '.join(over)}",
    )


def limits_of(cloud: Simulation, project: str) -> Row:
    """Return the quotas of a project; -1 is unlimited."""
    kept = cloud.store.get("quotas.nova", project)
    return DEFAULTS | {key: value for key, value in (kept or {}).items() if key != "id"}


@SERVICE.route("GET", "/os-quota-sets/{}", "get_quotas")
def get_quotas(request: Request) -> Response:
    """Show the quotas of a project."""
    return Response({"quota_set": {"id": request.args[0], **limits_of(request.cloud, request.args[0])}})


@SERVICE.route("GET", "/os-quota-sets/{}/defaults", "get_quotas")
def get_default_quotas(request: Request) -> Response:
    """Show what a project has that nobody gave quotas."""
    return Response({"quota_set": {"id": request.args[0], **DEFAULTS}})


@SERVICE.route("GET", "/os-quota-sets/{}/detail", "get_quotas")
def get_quota_detail(request: Request) -> Response:
    """Show the quotas of a project and how much of them is used."""
    project = request.args[0]
    used, limits = _used(request.cloud, project), limits_of(request.cloud, project)
    detail = {key: {"limit": limits[key], "in_use": used.get(key, 0), "reserved": 0} for key in limits}
    return Response({"quota_set": {"id": project, **detail}})


@SERVICE.route("PUT", "/os-quota-sets/{}", "update_quotas")
def update_quotas(request: Request) -> Response:
    """Set some quotas of a project."""
    request.need_admin("os_compute_api:os-quota-sets:update")
    project, content = request.args[0], request.content("quota_set")
    changed = {key: value for key, value in content.items() if key in DEFAULTS}
    if not all(isinstance(value, int) and value >= -1 for value in changed.values()):
        raise Fault(400, "Quota limit must be an integer of at least -1.")
    limits = limits_of(request.cloud, project) | changed
    request.cloud.store.put("quotas.nova", limits | {"id": project})
    return Response({"quota_set": limits})


@SERVICE.route("DELETE", "/os-quota-sets/{}", "delete_quotas")
def delete_quotas(request: Request) -> Response:
    """Give a project the default quotas again."""
    request.need_admin("os_compute_api:os-quota-sets:delete")
    request.cloud.store.remove("quotas.nova", request.args[0])
    return Response(status=202)


@SERVICE.route("GET", "/os-quota-class-sets/{}", "get_quotas")
def get_quota_class(request: Request) -> Response:
    """Show the defaults of all projects."""
    return Response({"quota_class_set": {"id": request.args[0], **DEFAULTS}})


@SERVICE.route("GET", "/limits", "get_limits")
def get_limits(request: Request) -> Response:
    """Show the asker's quotas, and how much of them is used."""
    project = request.query.get("tenant_id") or request.identity.project
    used, limits = _used(request.cloud, project), limits_of(request.cloud, project)
    absolute = {
        "maxTotalInstances": limits["instances"],
        "maxTotalCores": limits["cores"],
        "maxTotalRAMSize": limits["ram"],
        "maxTotalKeypairs": limits["key_pairs"],
        "maxServerMeta": limits["metadata_items"],
        "maxServerGroups": limits["server_groups"],
        "maxServerGroupMembers": limits["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": 0,
    }
    return Response({"limits": {"rate": [], "absolute": absolute}})


def _used(cloud: Simulation, project: str) -> dict[str, int]:
    cores = ram = instances = 0
    for row in cloud.store.rows("servers", project):
        instances += 1
        cores += row["flavor"]["vcpus"]
        ram += row["flavor"]["ram"]
    return {"instances": instances, "cores": cores, "ram": ram}
