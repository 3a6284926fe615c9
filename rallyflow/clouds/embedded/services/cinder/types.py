"""Volume types."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


@SERVICE.route("POST", "/types", "create_volume_type")
def create_type(request: Request) -> Response:
    """Make a volume type."""
    request.need_admin("volume_extension:types_manage")
    content, store = request.content("volume_type"), request.cloud.store
    if any(row["name"] == content.get("name") for row in store.rows("volume_types")):
        raise Fault(409, f"Volume Type {content.get('name')} already exists.")
    row = {
        "id": clock.new_id(),
        "name": str(content.get("name")),
        "description": content.get("description"),
        "is_public": bool(content.get("os-volume-type-access:is_public", True)),
        "extra_specs": content.get("extra_specs") or {},
    }
    return Response({"volume_type": _shown(store.put("volume_types", row))})


@SERVICE.route("GET", "/types", "list_volume_types")
def list_types(request: Request) -> Response:
    """List the volume types."""
    rows = [row for row in request.cloud.store.rows("volume_types") if row["is_public"] or request.identity.admin]
    return Response({"volume_types": [_shown(row) for row in matching(rows, request, ("name",))]})


@SERVICE.route("GET", "/types/default", "get_volume_type")
def get_default_type(request: Request) -> Response:
    """Show the volume type of volumes that name none."""
    return Response({"volume_type": _shown(next(iter(request.cloud.store.rows("volume_types"))))})


@SERVICE.route("GET", "/types/{}", "get_volume_type")
def get_type(request: Request) -> Response:
    """Show a volume type."""
    return Response({"volume_type": _shown(_find(request))})


@SERVICE.route("PUT", "/types/{}", "update_volume_type")
def update_type(request: Request) -> Response:
    """Change a volume type."""
    request.need_admin("volume_extension:types_manage")
    row, content = _find(request), request.content("volume_type")
    fields = {name: content[name] for name in ("name", "description", "is_public") if name in content}
    return Response({"volume_type": _shown(request.cloud.store.put("volume_types", row | fields))})


@SERVICE.route("DELETE", "/types/{}", "delete_volume_type")
def delete_type(request: Request) -> Response:
    """Remove a volume type."""
    request.need_admin("volume_extension:types_manage")
    request.cloud.store.remove("volume_types", _find(request)["id"])
    return Response(status=202)


def _find(request: Request) -> Row:
    row = request.cloud.store.get("volume_types", request.args[0])
    if row is None:
        raise Fault(404, f"Volume type {request.args[0]} could not be found.")
    return row


def _shown(row: Row) -> Row:
    return row | {"os-volume-type-access:is_public": row["is_public"], "qos_specs_id": None}
