"""Quotas of projects for volumes and snapshots."""

from __future__ import annotations

from rallyflow.clouds.embedded.services.cinder.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

# High enough that no workflow meets them by accident.
DEFAULTS = {
    "volumes": 10_000,
    "snapshots": 10_000,
    "gigabytes": 1_000_000,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
    "per_volume_gigabytes": -1,
}


def check(cloud: Simulation, project: str, kind: str, gigabytes: int) -> None:
    """Raise Fault 413 when a project may not have one more volume or snapshot of a size."""
    limits, used = limits_of(cloud, project), used_by(cloud, project)
    if 0 <= limits[kind] < used[kind] + 1:
        error = f"{kind[:-1].capitalize()}LimitExceeded"
        raise Fault(413, f"{error}: Maximum number of {kind} allowed ({limits[kind]}) exceeded")
    if 0 <= limits["gigabytes"] < used["gigabytes"] + gigabytes:
        raise Fault(
            413,
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
            f"Requested {gigabytes}G, quota is {limits['gigabytes']}G and "
            f"{used['gigabytes']}G has been consumed.",
        )


def limits_of(cloud: Simulation, project: str) -> Row:
    """Return the quotas of a project; -1 is unlimited."""
    kept = cloud.store.get("quotas.cinder", project)
    return DEFAULTS | {key: value for key, value in (kept or {}).items() if key != "id"}


def used_by(cloud: Simulation, project: str) -> dict[str, int]:
    """Return how much of its quotas a project uses."""
    volumes = [row["size"] for row in cloud.store.rows("volumes", project)]
    snapshots = [row["size"] for row in cloud.store.rows("volume_snapshots", project)]
    return {"volumes": len(volumes), "snapshots": len(snapshots), "gigabytes": sum(volumes) + sum(snapshots)}


@SERVICE.route("GET", "/os-quota-sets/{}", "get_quotas")
def get_quotas(request: Request) -> Response:
    """Show the quotas of a project, with what is used when the query says usage=true."""
    project = request.args[0]
    limits, used = limits_of(request.cloud, project), used_by(request.cloud, project)
    if request.query.get("usage", "").lower() == "true":
        limits = {key: {"limit": limits[key], "in_use": used.get(key, 0), "reserved": 0} for key in limits}
    return Response({"quota_set": {"id": project, **limits}})


@SERVICE.route("GET", "/os-quota-sets/{}/defaults", "get_quotas")
def get_default_quotas(request: Request) -> Response:
    """Show what a project has that nobody gave quotas."""
    return Response({"quota_set": {"id": request.args[0], **DEFAULTS}})


@SERVICE.route("PUT", "/os-quota-sets/{}", "update_quotas")
def update_quotas(request: Request) -> Response:
    """Set some quotas of a project."""
    request.need_admin("volume_extension:quotas:update")
    content = {key: value for key, value in request.content("quota_set").items() if key in DEFAULTS}
    if not all(isinstance(value, int) and value >= -1 for value in content.values()):
        raise Fault(400, "Quota limit must be an integer of at least -1.")
    limits = limits_of(request.cloud, request.args[0]) | content
    request.cloud.store.put("quotas.cinder", limits | {"id": request.args[0]})
    return Response({"quota_set": limits})


@SERVICE.route("DELETE", "/os-quota-sets/{}", "delete_quotas")
def delete_quotas(request: Request) -> Response:
    """Give a project the default quotas again."""
    request.need_admin("volume_extension:quotas:delete")
    request.cloud.store.remove("quotas.cinder", request.args[0])
    return Response()


@SERVICE.route("GET", "/limits", "get_limits")
def get_limits(request: Request) -> Response:
    """Show the asker's quotas, and how much of them is used."""
    limits = limits_of(request.cloud, request.identity.project)
    used = used_by(request.cloud, request.identity.project)
    absolute = {
        "maxTotalVolumes": limits["volumes"],
        "maxTotalSnapshots": limits["snapshots"],
        "maxTotalVolumeGigabytes": limits["gigabytes"],
        "maxTotalBackups": limits["backups"],
        "maxTotalBackupGigabytes": limits["backup_gigabytes"],
        "totalVolumesUsed": used["volumes"],
        "totalSnapshotsUsed": used["snapshots"],
        "totalGigabytesUsed": used["gigabytes"],
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return Response({"limits": {"rate": [], "absolute": absolute}})
