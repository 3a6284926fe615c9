"""Images: made, filled, listed, changed and removed."""

from __future__ import annotations

from typing import Any

import orjson

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.glance import data
from rallyflow.clouds.embedded.services.glance.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching, next_page, page
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Identity, Request, Response

_READ_ONLY = frozenset({"id", "status", "size", "checksum", "created_at", "updated_at", "file", "schema", "self"})
_VISIBILITIES = ("public", "community", "shared", "private")


def make(cloud: Simulation, project: str, content: dict[str, Any]) -> Row:
    """Insert an image that has no bytes yet."""
    key = str(content.get("id") or clock.new_id())
    if cloud.store.get("images", key):
        raise Fault(409, f"Image ID {key} already exists!")
    row = {
        "name": None,
        "visibility": "shared",
        "container_format": None,
        "disk_format": None,
        "min_ram": 0,
        "min_disk": 0,
        "protected": False,
        "tags": [],
        "os_hidden": False,
        **content,
        "id": key,
        "project_id": project,
        "owner": project,
        "status": "queued",
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "created_at": clock.now(),
        "updated_at": clock.now(),
        "file": f"/v2/images/{key}/file",
        "self": f"/v2/images/{key}",
        "schema": "/v2/schemas/image",
    }
    return cloud.store.put("images", row)


@SERVICE.route("POST", "/images", "create_image")
def create_image(request: Request) -> Response:
    """Make an image that has no bytes yet."""
    content = request.document
    forbidden = _READ_ONLY & content.keys() - {"id"}
    if forbidden:
        raise Fault(403, f"Attribute '{min(forbidden)}' is read-only.")
    _check_visibility(request, content)
    owner = content.pop("owner", "") if request.identity.admin else ""
    row = make(request.cloud, str(owner or request.identity.project), content)
    address = f"{request.cloud.url}{SERVICE.prefix}/images/{row['id']}".encode()
    return Response(_shown(row), 201, ((b"location", address),))


@SERVICE.route("GET", "/images", "list_images", lists="images")
def list_images(request: Request) -> Response:
    """List the images that the asker may use, newest first."""
    newest_first = [row for row in request.cloud.store.rows("images") if _visible(request.identity, row)][::-1]
    names = ("name", "status", "visibility", "owner", "container_format", "disk_format", "id", "protected")
    query = request.query
    hidden = query.get("os_hidden", "false").lower() == "true"
    rows = [row for row in matching(newest_first, request, names) if row["os_hidden"] is hidden]
    if query.get("tag"):
        rows = [row for row in rows if query["tag"] in row["tags"]]
    if query.get("sort_key", query.get("sort", "")).startswith("name"):
        rows.sort(key=lambda row: str(row["name"]))
    shown, more = page(rows, request)
    answer = {"images": [_shown(row) for row in shown], "first": "/v2/images", "schema": "/v2/schemas/images"}
    if more:
        answer["next"] = next_page(request, "/v2/images", shown[-1]["id"])
    return Response(answer)


@SERVICE.route("GET", "/images/{}", "get_image")
def get_image(request: Request) -> Response:
    """Show an image."""
    return Response(_shown(find(request)))


@SERVICE.route("PATCH", "/images/{}", "update_image")
def update_image(request: Request) -> Response:
    """Change an image by a JSON patch of whole attributes."""
    row = _owned(request)
    for change in _changes(request):
        name = str(change.get("path", "")).strip("/")
        if name in _READ_ONLY or name.startswith("_"):
            raise Fault(403, f"Attribute '{name}' is read-only.")
        if change.get("op") == "remove":
            row = {key: value for key, value in row.items() if key != name}
        else:
            row = row | {name: change.get("value")}
    _check_visibility(request, row)
    request.cloud.store.put("images", row | {"updated_at": clock.now()})
    return Response(_shown(row))


@SERVICE.route("DELETE", "/images/{}", "delete_image")
def delete_image(request: Request) -> Response:
    """Remove an image and its bytes."""
    row = _owned(request)
    if row["protected"]:
        raise Fault(403, f"Image {row['id']} is protected and cannot be deleted.")
    request.cloud.store.remove("images", row["id"])
    data.remove(request.cloud, row["id"])
    return Response(status=204)


@SERVICE.route("PUT", "/images/{}/file", "upload_image")
def upload_image(request: Request) -> Response:
    """Fill an image."""
    row = _owned(request)
    if row["status"] != "queued":
        raise Fault(409, f"Image status transition from {row['status']} to saving is not allowed")
    if not (row["container_format"] and row["disk_format"]):
        raise Fault(400, "Properties disk_format, container_format must be set prior to saving data.")
    data.write(request.cloud, row | {"updated_at": clock.now()}, request.body)
    return Response(status=204)


@SERVICE.route("GET", "/images/{}/file", "download_image")
def download_image(request: Request) -> Response:
    """Return the bytes of an image."""
    row = find(request)
    if row["status"] != "active":
        return Response(status=204)
    checksum = ((b"content-md5", row["checksum"].encode()),)
    return Response(data.read(request.cloud, row["id"]), 200, checksum, b"application/octet-stream")


@SERVICE.route("POST", "/images/{}/actions/{}", "change_image_state")
def change_state(request: Request) -> Response:
    """Deactivate an image, or make it usable again."""
    request.need_admin("image:deactivate")
    row, action = find(request), request.args[1]
    if action not in ("deactivate", "reactivate"):
        raise Fault(404, f"There is no action {action}.")
    status = "deactivated" if action == "deactivate" else "active"
    request.cloud.store.put("images", row | {"status": status})
    return Response(status=204)


@SERVICE.route("PUT", "/images/{}/tags/{}", "tag_image")
def tag_image(request: Request) -> Response:
    """Add a tag."""
    row, tag = _owned(request), request.args[1]
    request.cloud.store.put("images", row | {"tags": list(dict.fromkeys([*row["tags"], tag]))})
    return Response(status=204)


@SERVICE.route("DELETE", "/images/{}/tags/{}", "untag_image")
def untag_image(request: Request) -> Response:
    """Remove a tag."""
    row, tag = _owned(request), request.args[1]
    request.cloud.store.put("images", row | {"tags": [other for other in row["tags"] if other != tag]})
    return Response(status=204)


@SERVICE.route("GET", "/images/{}/members", "list_image_members")
def list_members(request: Request) -> Response:
    """List the projects that an image is shared with: none."""
    find(request)
    return Response({"members": [], "schema": "/v2/schemas/members"})


@SERVICE.route("GET", "/schemas/{}", "get_schema")
def get_schema(request: Request) -> Response:
    """Show a schema, as loose as JSON allows."""
    return Response({"name": request.args[0], "properties": {}, "additionalProperties": {"type": "string"}})


def find(request: Request) -> Row:
    """Return the image that the path names, if the asker may use it; Fault 404."""
    row = request.cloud.store.get("images", request.args[0])
    if row is None or not _visible(request.identity, row):
        raise Fault(404, f"No image found with ID {request.args[0]}")
    return row


def _owned(request: Request) -> Row:
    row = find(request)
    if not request.identity.sees(row):
        raise Fault(403, f"You are not permitted to modify the image {row['id']}.")
    return row


def _visible(identity: Identity, row: Row) -> bool:
    return row["visibility"] in ("public", "community") or identity.sees(row)


def _check_visibility(request: Request, content: Row) -> None:
    visibility = content.get("visibility", "shared")
    if visibility not in _VISIBILITIES:
        raise Fault(400, f"Invalid visibility value: {visibility}")
    if visibility == "public":
        request.need_admin("publicize_image")


def _changes(request: Request) -> list[dict[str, Any]]:
    try:
        changes = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise Fault(400, "Malformed request body: it is not JSON") from None
    if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
        raise Fault(400, "Request body must be a JSON array of operation objects.")
    return [_in_new_form(change) for change in changes]


def _in_new_form(change: dict[str, Any]) -> dict[str, Any]:
    """Return a change with `op` and `path`; API 2.0 wrote `{"replace": "/name"}`, which clients still do."""
    old = next((op for op in ("add", "replace", "remove") if op in change), None)
    return change if old is None or "op" in change else {**change, "op": old, "path": change[old]}


def _shown(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "project_id"}
