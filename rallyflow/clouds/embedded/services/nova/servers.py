"""Servers: made, listed, shown, changed and removed."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder import attachments
from rallyflow.clouds.embedded.services.listing import next_links, page
from rallyflow.clouds.embedded.services.neutron import nics
from rallyflow.clouds.embedded.services.nova import flavors, life, quotas, views
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


def find(request: Request) -> Row:
    """Return the server that the path names, if the asker may see it; Fault 404."""
    row = request.cloud.store.get("servers", request.args[0])
    if row is None or not request.identity.sees(row):
        raise Fault(404, f"Instance {request.args[0]} could not be found.")
    return row


@SERVICE.route("POST", "/servers", "create_server")
def create_server(request: Request) -> Response:
    """Make one server, or `max_count` of them."""
    content = request.content("server")
    flavor = _flavor(request, content)
    image = _image(request, content, flavor)
    if request.version >= (2, 37) and content.get("networks") is None:
        raise Fault(400, "Invalid input for field/attribute server. 'networks' is a required property")
    name, count = _name(content), _count(content)
    quotas.check_servers(request.cloud, request.identity.project, flavor, count)
    common = _common(request, content, flavor, image)
    names = [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
    rows = [_make(request, content, common | {"name": one}) for one in names]
    first = rows[0]
    return Response(
        {
            "server": {
                "id": first["id"],
                "links": views.links(request.cloud.url, "servers", first["id"]),
                "OS-DCF:diskConfig": "MANUAL",
                "security_groups": [{"name": group} for group in first["security_groups"]],
                "adminPass": content.get("adminPass") or clock.new_hex()[:12],
            }
        },
        202,
        ((b"location", f"{request.cloud.url}{SERVICE.prefix}/servers/{first['id']}".encode()),),
    )


@SERVICE.route("GET", "/servers", "list_servers", lists="servers")
def list_servers(request: Request) -> Response:
    """List servers by id and name, newest first."""
    rows, more = _page(request, "/servers")
    url = request.cloud.url
    shown = [{"id": r["id"], "name": r["name"], "links": views.links(url, "servers", r["id"])} for r in rows]
    return Response({"servers": shown, **more})


@SERVICE.route("GET", "/servers/detail", "list_servers", lists="servers")
def list_servers_detail(request: Request) -> Response:
    """List servers, newest first."""
    rows, more = _page(request, "/servers/detail")
    return Response({"servers": [views.render(request, row) for row in rows], **more})


@SERVICE.route("GET", "/servers/{}", "get_server")
def get_server(request: Request) -> Response:
    """Show a server."""
    return Response({"server": views.render(request, find(request))})


@SERVICE.route("PUT", "/servers/{}", "update_server")
def update_server(request: Request) -> Response:
    """Rename a server or change its description."""
    row, content = find(request), request.content("server")
    fields = {name: content[name] for name in ("name", "description") if name in content}
    return Response({"server": views.render(request, life.change(request.cloud, row, **fields))})


@SERVICE.route("DELETE", "/servers/{}", "delete_server")
def delete_server(request: Request) -> Response:
    """Start removing a server; it can be shown until it is gone."""
    row = find(request)
    if row["locked"] and not request.identity.admin:
        raise Fault(409, f"Instance {row['id']} is locked")
    if row["task_state"] != "deleting":
        life.delete(request.cloud, row)
    return Response(status=204)


@SERVICE.route("GET", "/servers/{}/ips", "get_server_addresses")
def get_addresses(request: Request) -> Response:
    """Show the addresses of a server."""
    row = find(request)
    return Response({"addresses": views.addresses(row)})


@SERVICE.route("GET", "/servers/{}/metadata", "get_server_metadata")
def get_metadata(request: Request) -> Response:
    """Show the metadata of a server."""
    return Response({"metadata": find(request)["metadata"]})


@SERVICE.route("POST", "/servers/{}/metadata", "set_server_metadata")
def set_metadata(request: Request) -> Response:
    """Add metadata to a server."""
    row = find(request)
    metadata = row["metadata"] | request.content("metadata")
    return Response({"metadata": life.change(request.cloud, row, metadata=metadata)["metadata"]})


@SERVICE.route("DELETE", "/servers/{}/metadata/{}", "unset_server_metadata")
def unset_metadata(request: Request) -> Response:
    """Remove one item of the metadata of a server."""
    row, name = find(request), request.args[1]
    if name not in row["metadata"]:
        raise Fault(404, "Metadata item was not found")
    life.change(request.cloud, row, metadata={k: v for k, v in row["metadata"].items() if k != name})
    return Response(status=204)


def _make(request: Request, content: dict[str, Any], common: Row) -> Row:
    cloud, server = request.cloud, clock.new_id()
    plugged = nics.plug(cloud, request.identity, server, content.get("networks"))
    row = {"id": server, **common, "nics": plugged, "created": clock.now(), "updated": clock.now()}
    devices = content.get("block_device_mapping_v2") or []
    try:
        row["volumes"] = attachments.attach_boot_volumes(cloud, request.identity, row, devices)
    except Fault:
        nics.unplug(cloud, row)
        raise
    cloud.store.put("servers", row)
    life.build(cloud, server)
    return row


def _common(request: Request, content: dict[str, Any], flavor: Row, image: str) -> Row:
    groups = [str(group.get("name")) for group in content.get("security_groups") or [{"name": "default"}]]
    return {
        "project_id": request.identity.project,
        "user_id": request.identity.user,
        "flavor": flavor,
        "image": image,
        "status": "BUILD",
        "vm_state": "building",
        "task_state": "scheduling",
        "launched_at": None,
        "metadata": content.get("metadata") or {},
        "key_name": content.get("key_name"),
        "availability_zone": content.get("availability_zone") or "nova",
        "security_groups": groups,
        "volumes": [],
        "host": "",
        "locked": False,
        "description": content.get("description"),
        "tags": content.get("tags") or [],
        "fault": None,
        "then": {},
        "snapshot": "",
    }


def _name(content: dict[str, Any]) -> str:
    name = content.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {name}.")
    return name


def _count(content: dict[str, Any]) -> int:
    least = content.get("min_count", 1)
    count = content.get("max_count", least)
    if not (str(least).isdigit() and str(count).isdigit() and 1 <= int(least) <= int(count)):
        raise Fault(400, "min_count must be <= max_count")
    return int(count)


def _flavor(request: Request, content: dict[str, Any]) -> Row:
    wanted = str(content.get("flavorRef", "")).rpartition("/")[2]
    row = request.cloud.store.get("flavors", wanted)
    if row is None:
        raise Fault(400, f"Flavor {wanted} could not be found.")
    return flavors.without_access(row)


def _image(request: Request, content: dict[str, Any], flavor: Row) -> str:
    """Return the id of the image, or an empty text for a server that boots from a volume."""
    wanted = str(content.get("imageRef") or "").rpartition("/")[2]
    if not wanted:
        if not content.get("block_device_mapping_v2"):
            raise Fault(400, "Invalid imageRef provided: a server without block_device_mapping_v2 needs an image.")
        return ""
    row = request.cloud.store.get("images", wanted)
    if row is None or not (row["visibility"] == "public" or request.identity.sees(row)):
        raise Fault(400, f"Image {wanted} could not be found.")
    if row["status"] != "active":
        raise Fault(400, f"Image {wanted} is not active.")
    if row["min_ram"] > flavor["ram"]:
        raise Fault(400, "Flavor's memory is too small for requested image.")
    if row["min_disk"] > flavor["disk"] > 0:
        raise Fault(400, "Flavor's disk is smaller than the minimum size specified in image metadata.")
    return wanted


def _page(request: Request, path: str) -> tuple[list[Row], Row]:
    newest_first = [*request.cloud.store.rows("servers", request.scope)][::-1]
    rows, more = page(_filtered(newest_first, request), request)
    if not more:
        return rows, {}
    return rows, {"servers_links": next_links(request, SERVICE.prefix + path, rows[-1]["id"])}


def _filtered(rows: list[Row], request: Request) -> list[Row]:
    query = request.query
    if "name" in query:  # nova takes a regular expression; a part of the name is what people mean by it
        rows = [row for row in rows if query["name"].strip("^$") in row["name"]]
    if "status" in query:
        rows = [row for row in rows if row["status"] == query["status"].upper()]
    if "image" in query:
        rows = [row for row in rows if row["image"] == query["image"]]
    if "flavor" in query:
        rows = [row for row in rows if row["flavor"]["id"] == query["flavor"]]
    if "user_id" in query:
        rows = [row for row in rows if row["user_id"] == query["user_id"]]
    return rows
