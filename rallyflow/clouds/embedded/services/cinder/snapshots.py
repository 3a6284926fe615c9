"""Snapshots of volumes."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder import quotas, work
from rallyflow.clouds.embedded.services.cinder.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching, page
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


@SERVICE.route("POST", "/snapshots", "create_snapshot")
def create_snapshot(request: Request) -> Response:
    """Start making a snapshot of a volume."""
    content, cloud = request.content("snapshot"), request.cloud
    volume = cloud.store.get("volumes", str(content.get("volume_id")))
    if volume is None or not request.identity.sees(volume):
        raise Fault(404, f"Volume {content.get('volume_id')} could not be found.")
    if volume["status"] != "available" and not (content.get("force") and volume["status"] == "in-use"):
        raise Fault(
            400,
            f"Invalid volume: Volume {volume['id']} status must be available; it is {volume['status']}.",
        )
    quotas.check(cloud, volume["project_id"], "snapshots", volume["size"])
    row = {
        "id": clock.new_id(),
        "project_id": volume["project_id"],
        "user_id": request.identity.user,
        "volume_id": volume["id"],
        "name": content.get("name"),
        "description": content.get("description"),
        "size": volume["size"],
        "status": "creating",
        "metadata": content.get("metadata") or {},
        "created_at": clock.precisely().rstrip("Z"),
        "updated_at": None,
    }
    cloud.store.put("volume_snapshots", row)
    work.make(cloud, "volume_snapshots", row["id"])
    return Response({"snapshot": _shown(row)}, 202)


@SERVICE.route("GET", "/snapshots", "list_snapshots", lists="volume_snapshots")
def list_snapshots(request: Request) -> Response:
    """List snapshots, newest first."""
    return list_snapshots_detail(request)


@SERVICE.route("GET", "/snapshots/detail", "list_snapshots", lists="volume_snapshots")
def list_snapshots_detail(request: Request) -> Response:
    """List snapshots, newest first."""
    newest_first = [*request.cloud.store.rows("volume_snapshots", request.scope)][::-1]
    rows, _ = page(matching(newest_first, request, ("name", "status", "volume_id")), request)
    return Response({"snapshots": [_shown(row) for row in rows]})


@SERVICE.route("GET", "/snapshots/{}", "get_snapshot")
def get_snapshot(request: Request) -> Response:
    """Show a snapshot."""
    return Response({"snapshot": _shown(_find(request))})


@SERVICE.route("DELETE", "/snapshots/{}", "delete_snapshot")
def delete_snapshot(request: Request) -> Response:
    """Start removing a snapshot."""
    row = _find(request)
    if row["status"] not in ("available", "error"):
        raise Fault(400, f"Invalid snapshot: Snapshot status must be available or error; it is {row['status']}.")
    work.remove(request.cloud, "volume_snapshots", row)
    return Response(status=202)


def _find(request: Request) -> Row:
    row = request.cloud.store.get("volume_snapshots", request.args[0])
    if row is None or not request.identity.sees(row):
        raise Fault(404, f"Snapshot {request.args[0]} could not be found.")
    return row


def _shown(row: Row) -> Row:
    extended = {
        "os-extended-snapshot-attributes:progress": "100%" if row["status"] == "available" else "0%",
        "os-extended-snapshot-attributes:project_id": row["project_id"],
    }
    return {key: value for key, value in row.items() if key != "project_id"} | extended
