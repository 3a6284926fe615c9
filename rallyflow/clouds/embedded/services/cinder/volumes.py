"""Volumes: made, listed, shown, changed, extended and removed."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder import attachments, quotas, work
from rallyflow.clouds.embedded.services.cinder.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching, next_links, page
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_DELETABLE = ("available", "error", "error_deleting")


def find(request: Request) -> Row:
    """Return the volume that the path names, if the asker may see it; Fault 404."""
    row = request.cloud.store.get("volumes", request.args[0])
    if row is None or not request.identity.sees(row):
        raise Fault(404, f"Volume {request.args[0]} could not be found.")
    return row


def make(cloud: Simulation, project: str, user: str, content: dict[str, Any]) -> Row:
    """Insert a volume and start making it; Fault 400, 404 or 413."""
    size = _size(cloud, content)
    quotas.check(cloud, project, "volumes", size)
    image = content.get("imageRef") and cloud.store.get("images", str(content["imageRef"]))
    if content.get("imageRef") and not image:
        raise Fault(404, f"Image {content['imageRef']} could not be found.")
    row: Row = {
        "id": clock.new_id(),
        "project_id": project,
        "user_id": user,
        "name": content.get("name"),
        "description": content.get("description"),
        "size": size,
        "status": "creating",
        "volume_type": content.get("volume_type") or "embedded",
        "availability_zone": content.get("availability_zone") or "nova",
        "bootable": "true" if image else "false",
        "encrypted": False,
        "multiattach": False,
        "metadata": content.get("metadata") or {},
        "snapshot_id": content.get("snapshot_id"),
        "source_volid": content.get("source_volid"),
        "attachments": [],
        "consistencygroup_id": None,
        "replication_status": None,
        "created_at": clock.precisely().rstrip("Z"),
        "updated_at": None,
    }
    if image:
        row["volume_image_metadata"] = {"image_id": image["id"], "image_name": image["name"]}
    cloud.store.put("volumes", row)
    work.make(cloud, "volumes", row["id"])
    return row


@SERVICE.route("POST", "/volumes", "create_volume")
def create_volume(request: Request) -> Response:
    """Start making a volume."""
    identity = request.identity
    row = make(request.cloud, identity.project, identity.user, request.content("volume"))
    return Response({"volume": _shown(request, row)}, 202)


@SERVICE.route("GET", "/volumes", "list_volumes", lists="volumes")
def list_volumes(request: Request) -> Response:
    """List volumes by id and name, newest first."""
    rows, more = _page(request, "/volumes")
    return Response(
        {"volumes": [{key: _shown(request, r)[key] for key in ("id", "name", "links")} for r in rows], **more}
    )


@SERVICE.route("GET", "/volumes/detail", "list_volumes", lists="volumes")
def list_volumes_detail(request: Request) -> Response:
    """List volumes, newest first."""
    rows, more = _page(request, "/volumes/detail")
    return Response({"volumes": [_shown(request, row) for row in rows], **more})


@SERVICE.route("GET", "/volumes/{}", "get_volume")
def get_volume(request: Request) -> Response:
    """Show a volume."""
    return Response({"volume": _shown(request, find(request))})


@SERVICE.route("PUT", "/volumes/{}", "update_volume")
def update_volume(request: Request) -> Response:
    """Rename a volume, or change its description or metadata."""
    row, content = find(request), request.content("volume")
    fields = {name: content[name] for name in ("name", "description", "metadata") if name in content}
    return Response({"volume": _shown(request, work.change(request.cloud, "volumes", row, **fields))})


@SERVICE.route("DELETE", "/volumes/{}", "delete_volume")
def delete_volume(request: Request) -> Response:
    """Start removing a volume."""
    row = find(request)
    if row["status"] not in _DELETABLE:
        raise Fault(
            400,
            "Invalid volume: Volume status must be available or error or error_deleting and must not be "
            f"migrating, attached, belong to a group, have snapshots; it is {row['status']}.",
        )
    if any(s["volume_id"] == row["id"] for s in request.cloud.store.rows("volume_snapshots")):
        raise Fault(400, "Invalid volume: Volume must not have snapshots.")
    work.remove(request.cloud, "volumes", row)
    return Response(status=202)


@SERVICE.route("POST", "/volumes/{}/action", "volume_action")
def volume_action(request: Request) -> Response:
    """Do the one action that the body names."""
    row = find(request)
    kind, content = next(iter(request.document.items()), ("", None))
    given = content if isinstance(content, dict) else {}
    if kind == "os-extend":
        return _extend(request, row, given)
    if kind == "os-set_bootable":
        work.change(request.cloud, "volumes", row, bootable=str(bool(given.get("bootable"))).lower())
        return Response()
    if kind == "os-reset_status":
        request.need_admin("volume_extension:volume_admin_actions:reset_status")
        work.change(request.cloud, "volumes", row, status=str(given.get("status")))
        return Response(status=202)
    if kind == "os-force_delete":
        request.need_admin("volume_extension:volume_admin_actions:force_delete")
        attachments.detach(request.cloud, row["id"])
        work.remove(request.cloud, "volumes", row)
        return Response(status=202)
    raise Fault(400, f"There is no such action: {kind}")


def _extend(request: Request, row: Row, content: dict[str, Any]) -> Response:
    size = content.get("new_size")
    if not isinstance(size, int) or size <= row["size"]:
        raise Fault(400, f"New size for extend must be greater than current size. (current: {row['size']})")
    if row["status"] != "available":
        raise Fault(400, f"Volume status must be available to extend; it is {row['status']}.")
    work.change(request.cloud, "volumes", row, status="extending", size=size)
    work.make(request.cloud, "volumes", row["id"])
    return Response(status=202)


def _size(cloud: Simulation, content: dict[str, Any]) -> int:
    source = None
    if content.get("snapshot_id"):
        source = cloud.store.get("volume_snapshots", str(content["snapshot_id"]))
    elif content.get("source_volid"):
        source = cloud.store.get("volumes", str(content["source_volid"]))
    if source is None and (content.get("snapshot_id") or content.get("source_volid")):
        raise Fault(404, "The source of the volume could not be found.")
    size = content.get("size") or (source or {}).get("size")
    if not str(size).isdigit() or int(str(size)) < 1:
        raise Fault(400, f"Invalid input for field/attribute size. Value: {size}. It must be a positive integer.")
    return int(str(size))


def _page(request: Request, path: str) -> tuple[list[Row], Row]:
    newest_first = [*request.cloud.store.rows("volumes", request.scope)][::-1]
    rows, more = page(matching(newest_first, request, ("name", "status", "volume_type", "bootable")), request)
    if not more:
        return rows, {}
    return rows, {"volumes_links": next_links(request, SERVICE.prefix + path, rows[-1]["id"])}


def _shown(request: Request, row: Row) -> Row:
    links = [{"rel": "self", "href": f"{request.cloud.url}{SERVICE.prefix}/volumes/{row['id']}"}]
    shown = row | {"links": links, "os-vol-tenant-attr:tenant_id": row["project_id"]}
    del shown["project_id"]
    return shown
