"""Volumes of servers: attached, listed, detached."""

from __future__ import annotations

from rallyflow.clouds.embedded.services.cinder import attachments
from rallyflow.clouds.embedded.services.nova import life
from rallyflow.clouds.embedded.services.nova.servers import find
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


@SERVICE.route("POST", "/servers/{}/os-volume_attachments", "attach_volume")
def attach_volume(request: Request) -> Response:
    """Attach a volume to a server."""
    row = find(request)
    volume = str(request.content("volumeAttachment").get("volumeId"))
    attachments.attach(request.cloud, request.identity, row, volume)
    life.change(request.cloud, row, volumes=[*row["volumes"], volume])
    return Response({"volumeAttachment": _shown(row, volume, len(row["volumes"]))})


@SERVICE.route("GET", "/servers/{}/os-volume_attachments", "list_volume_attachments")
def list_attachments(request: Request) -> Response:
    """List the volumes of a server."""
    row = find(request)
    shown = [_shown(row, volume, number) for number, volume in enumerate(row["volumes"])]
    return Response({"volumeAttachments": shown})


@SERVICE.route("GET", "/servers/{}/os-volume_attachments/{}", "get_volume_attachment")
def get_attachment(request: Request) -> Response:
    """Show one volume of a server."""
    row, volume = find(request), request.args[1]
    return Response({"volumeAttachment": _shown(row, volume, _position(row, volume))})


@SERVICE.route("DELETE", "/servers/{}/os-volume_attachments/{}", "detach_volume")
def detach_volume(request: Request) -> Response:
    """Detach a volume from a server."""
    row, volume = find(request), request.args[1]
    _position(row, volume)
    attachments.detach(request.cloud, volume)
    life.change(request.cloud, row, volumes=[other for other in row["volumes"] if other != volume])
    return Response(status=202)


def _position(row: Row, volume: str) -> int:
    if volume not in row["volumes"]:
        raise Fault(404, f"volume_id not found: {volume}")
    return int(row["volumes"].index(volume))


def _shown(row: Row, volume: str, position: int) -> Row:
    return {
        "id": volume,
        "volumeId": volume,
        "serverId": row["id"],
        "device": f"/dev/vd{chr(ord('b') + position)}",
        "tag": None,
        "delete_on_termination": False,
        "attachment_id": volume,
    }
