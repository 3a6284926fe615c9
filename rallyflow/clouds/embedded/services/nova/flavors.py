"""Flavors: public ones, and private ones with the projects that may use them."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.listing import next_links, page
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


def make(cloud: Simulation, content: dict[str, Any]) -> Row:
    """Insert a flavor; Fault 400 or 409."""
    row: Row = {
        "id": str(content.get("id") or clock.new_id()),
        "name": str(content.get("name") or ""),
        "ram": _number(content, "ram"),
        "vcpus": _number(content, "vcpus"),
        "disk": _number(content, "disk", least=0),
        "ephemeral": int(content.get("OS-FLV-EXT-DATA:ephemeral") or 0),
        "swap": int(content.get("swap") or 0),
        "public": bool(content.get("os-flavor-access:is_public", True)),
        "description": content.get("description"),
        "extra_specs": {},
        "access": [],
    }
    if not row["name"]:
        raise Fault(400, "Invalid input for field/attribute name. Value: . It is too short")
    for other in cloud.store.rows("flavors"):
        if other["id"] == row["id"] or other["name"] == row["name"]:
            raise Fault(409, f"Flavor with name {row['name']} already exists.")
    return cloud.store.put("flavors", row)


def find(cloud: Simulation, key: str) -> Row:
    """Return a flavor; Fault 404."""
    row = cloud.store.get("flavors", key)
    if row is None:
        raise Fault(404, f"Flavor {key} could not be found.")
    return row


def without_access(row: Row) -> Row:
    """Return what a server keeps of its flavor."""
    return {key: value for key, value in row.items() if key not in ("access", "public", "description")}


@SERVICE.route("POST", "/flavors", "create_flavor")
def create_flavor(request: Request) -> Response:
    """Make a flavor."""
    request.need_admin("os_compute_api:os-flavor-manage:create")
    return Response({"flavor": _shown(request, make(request.cloud, request.content("flavor")))})


@SERVICE.route("GET", "/flavors", "list_flavors", lists="flavors")
def list_flavors(request: Request) -> Response:
    """List the flavors, by id and name only."""
    rows, links = _visible(request, "/flavors")
    keys = ("id", "name", "links", "description") if request.version >= (2, 55) else ("id", "name", "links")
    shown = [_shown(request, row) for row in rows]
    return Response({"flavors": [{key: flavor[key] for key in keys} for flavor in shown], **links})


@SERVICE.route("GET", "/flavors/detail", "list_flavors", lists="flavors")
def list_flavors_detail(request: Request) -> Response:
    """List the flavors."""
    rows, links = _visible(request, "/flavors/detail")
    return Response({"flavors": [_shown(request, row) for row in rows], **links})


@SERVICE.route("GET", "/flavors/{}", "get_flavor")
def get_flavor(request: Request) -> Response:
    """Show a flavor."""
    row = find(request.cloud, request.args[0])
    if not _may_use(request, row):
        raise Fault(404, f"Flavor {row['id']} could not be found.")
    return Response({"flavor": _shown(request, row)})


@SERVICE.route("PUT", "/flavors/{}", "update_flavor")
def update_flavor(request: Request) -> Response:
    """Change the description of a flavor."""
    request.need_admin("os_compute_api:os-flavor-manage:update")
    row = find(request.cloud, request.args[0]) | {"description": request.content("flavor").get("description")}
    return Response({"flavor": _shown(request, request.cloud.store.put("flavors", row))})


@SERVICE.route("DELETE", "/flavors/{}", "delete_flavor")
def delete_flavor(request: Request) -> Response:
    """Remove a flavor; servers made with it keep a copy."""
    request.need_admin("os_compute_api:os-flavor-manage:delete")
    request.cloud.store.remove("flavors", find(request.cloud, request.args[0])["id"])
    return Response(status=202)


@SERVICE.route("GET", "/flavors/{}/os-extra_specs", "get_flavor_extra_specs")
def get_extra_specs(request: Request) -> Response:
    """Show the extra specs of a flavor."""
    return Response({"extra_specs": find(request.cloud, request.args[0])["extra_specs"]})


@SERVICE.route("POST", "/flavors/{}/os-extra_specs", "set_flavor_extra_specs")
def set_extra_specs(request: Request) -> Response:
    """Add extra specs to a flavor."""
    request.need_admin("os_compute_api:os-flavor-extra-specs:create")
    row, specs = find(request.cloud, request.args[0]), request.content("extra_specs")
    request.cloud.store.put("flavors", row | {"extra_specs": row["extra_specs"] | specs})
    return Response({"extra_specs": specs})


@SERVICE.route("DELETE", "/flavors/{}/os-extra_specs/{}", "unset_flavor_extra_spec")
def unset_extra_spec(request: Request) -> Response:
    """Remove one extra spec of a flavor."""
    request.need_admin("os_compute_api:os-flavor-extra-specs:delete")
    row, name = find(request.cloud, request.args[0]), request.args[1]
    kept = {key: value for key, value in row["extra_specs"].items() if key != name}
    request.cloud.store.put("flavors", row | {"extra_specs": kept})
    return Response()


@SERVICE.route("GET", "/flavors/{}/os-flavor-access", "get_flavor_access")
def get_access(request: Request) -> Response:
    """List the projects that may use a private flavor."""
    return Response({"flavor_access": _access(find(request.cloud, request.args[0]))})


@SERVICE.route("POST", "/flavors/{}/action", "change_flavor_access")
def change_access(request: Request) -> Response:
    """Let a project use a private flavor, or no longer."""
    request.need_admin("os_compute_api:os-flavor-access")
    row = find(request.cloud, request.args[0])
    kind, content = next(iter(request.document.items()), ("", None))
    if kind not in ("addTenantAccess", "removeTenantAccess") or not isinstance(content, dict):
        raise Fault(400, "There is no such action.")
    others = [project for project in row["access"] if project != content.get("tenant")]
    access = [*others, content.get("tenant")] if kind == "addTenantAccess" else others
    return Response({"flavor_access": _access(request.cloud.store.put("flavors", row | {"access": access}))})


def _access(row: Row) -> list[Row]:
    return [{"flavor_id": row["id"], "tenant_id": project} for project in row["access"]]


def _number(content: dict[str, Any], name: str, *, least: int = 1) -> int:
    value = content.get(name)
    if not str(value).isdigit() or int(str(value)) < least:
        raise Fault(400, f"Invalid input for field/attribute {name}. Value: {value}. It must be at least {least}")
    return int(str(value))


def _may_use(request: Request, row: Row) -> bool:
    return bool(row["public"] or request.identity.admin or request.identity.project in row["access"])


def _least(request: Request, name: str) -> int:
    """Return the least memory, or disk, of the flavors that are asked for."""
    text = request.query.get(name, "0")
    if not text.isdecimal():
        raise Fault(400, f"Invalid {name} [{text}]")
    return int(text)


def _visible(request: Request, path: str) -> tuple[list[Row], Row]:
    wanted = request.query.get("is_public", "None" if request.identity.admin else "true").lower()
    rows = [
        row
        for row in request.cloud.store.rows("flavors")
        if _may_use(request, row)
        and (wanted == "none" or row["public"] is (wanted in ("true", "1")))
        and row["ram"] >= _least(request, "minRam")
        and row["disk"] >= _least(request, "minDisk")
    ]
    shown, more = page(rows, request)
    if not more:
        return shown, {}
    return shown, {"flavors_links": next_links(request, SERVICE.prefix + path, shown[-1]["id"])}


def _shown(request: Request, row: Row) -> Row:
    shown = {
        "id": row["id"],
        "name": row["name"],
        "ram": row["ram"],
        "vcpus": row["vcpus"],
        "disk": row["disk"],
        "OS-FLV-EXT-DATA:ephemeral": row["ephemeral"],
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": row["public"],
        "rxtx_factor": 1.0,
        "swap": row["swap"] or ("" if request.version < (2, 75) else 0),
        "links": [{"rel": "self", "href": f"{request.cloud.url}{SERVICE.prefix}/flavors/{row['id']}"}],
    }
    if request.version >= (2, 55):
        shown["description"] = row["description"]
    if request.version >= (2, 61):
        shown["extra_specs"] = row["extra_specs"]
    return shown
