"""Domains, projects and users; groups are there, and empty."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.keystone import passwords
from rallyflow.clouds.embedded.services.keystone.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Handler, Request, Response

_FILTERS = ("name", "domain_id", "enabled", "parent_id")


def make(cloud: Simulation, table: str, content: dict[str, Any]) -> Row:
    """Insert a domain, project or user; Fault 409 when the name is taken in its domain."""
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Fault(400, "name is a required property")
    row = {"enabled": True, "description": "", **content, "id": clock.new_hex()}
    if table != "domains":
        row.setdefault("domain_id", "default")
        if cloud.store.get("domains", row["domain_id"]) is None:
            raise Fault(404, f"Could not find domain: {row['domain_id']}.")
    if table == "projects":
        row = {"parent_id": row["domain_id"], "is_domain": False, "tags": [], "options": {}, **row}
    if table == "users":
        row = {"password_expires_at": None, "options": {}, **_with_password(row)}
    _refuse_taken(cloud, table, row)
    return cloud.store.put(table, row)


def shown(request: Request, table: str, row: Row) -> Row:
    """Return a row as the API shows it."""
    links = {"self": f"{request.cloud.url}{SERVICE.prefix}/{table}/{row['id']}"}
    return {key: value for key, value in row.items() if not key.startswith("_")} | {"links": links}


def _with_password(row: Row) -> Row:
    password = row.pop("password", None)
    return row | {"_password": passwords.hashed(password)} if password is not None else {"_password": "00$", **row}


def _refuse_taken(cloud: Simulation, table: str, row: Row) -> None:
    for other in cloud.store.rows(table):
        if other["name"] == row["name"] and other.get("domain_id") == row.get("domain_id") and other["id"] != row["id"]:
            raise Fault(409, f"Conflict occurred attempting to store {table[:-1]} - Duplicate entry found with name.")


def _found(request: Request, table: str) -> Row:
    row = request.cloud.store.get(table, request.args[0])
    if row is None:
        raise Fault(404, f"Could not find {table[:-1]}: {request.args[0]}.")
    return row


def _create(table: str) -> Handler:
    def create(request: Request) -> Response:
        request.need_admin(f"identity:create_{table[:-1]}")
        row = make(request.cloud, table, request.content(table[:-1]))
        return Response({table[:-1]: shown(request, table, row)}, 201)

    return create


def _list(table: str) -> Handler:
    def listed(request: Request) -> Response:
        request.need_admin(f"identity:list_{table}")
        rows = matching(request.cloud.store.rows(table), request, _FILTERS)
        return Response({table: [shown(request, table, row) for row in rows], "links": {"next": None}})

    return listed


def _get(table: str) -> Handler:
    def get(request: Request) -> Response:
        if request.args[0] not in (request.identity.user, request.identity.project):
            request.need_admin(f"identity:get_{table[:-1]}")
        return Response({table[:-1]: shown(request, table, _found(request, table))})

    return get


def _update(table: str) -> Handler:
    def update(request: Request) -> Response:
        request.need_admin(f"identity:update_{table[:-1]}")
        before = _found(request, table)
        row = before | request.content(table[:-1]) | {"id": before["id"]}
        if table == "users" and "password" in row:
            row = _with_password(row)
        _refuse_taken(request.cloud, table, row)
        request.cloud.store.put(table, row)
        request.cloud.forget_identities()
        return Response({table[:-1]: shown(request, table, row)})

    return update


def _delete(table: str) -> Handler:
    def delete(request: Request) -> Response:
        request.need_admin(f"identity:delete_{table[:-1]}")
        row = _found(request, table)
        store = request.cloud.store
        if table == "domains":
            _remove_domain(request.cloud, row)
        for assignment in [a for a in store.rows("assignments") if row["id"] in (a["user"], a["target"])]:
            store.remove("assignments", assignment["id"])
        store.remove(table, row["id"])
        request.cloud.forget_identities()
        return Response(status=204)

    return delete


def _remove_domain(cloud: Simulation, domain: Row) -> None:
    if domain["enabled"]:
        raise Fault(403, "Cannot delete a domain that is enabled, please disable it first.")
    for table in ("users", "projects"):
        for row in [row for row in cloud.store.rows(table) if row["domain_id"] == domain["id"]]:
            cloud.store.remove(table, row["id"])


for _table in ("domains", "projects", "users"):
    SERVICE.route("POST", f"/{_table}", f"create_{_table[:-1]}")(_create(_table))
    SERVICE.route("GET", f"/{_table}", f"list_{_table}")(_list(_table))
    SERVICE.route("GET", f"/{_table}/{{}}", f"get_{_table[:-1]}")(_get(_table))
    SERVICE.route("PATCH", f"/{_table}/{{}}", f"update_{_table[:-1]}")(_update(_table))
    SERVICE.route("DELETE", f"/{_table}/{{}}", f"delete_{_table[:-1]}")(_delete(_table))


@SERVICE.route("GET", "/groups", "list_groups")
def list_groups(_request: Request) -> Response:
    """List the groups: none."""
    return Response({"groups": [], "links": {}})


@SERVICE.route("POST", "/users/{}/password", "change_password")
def change_password(request: Request) -> Response:
    """Change a user's own password, who has to know the present one."""
    row, content = _found(request, "users"), request.content("user")
    if not passwords.fits(str(content.get("original_password", "")), row["_password"]):
        raise Fault(401, "The password does not match the present one.")
    request.cloud.store.put("users", row | {"_password": passwords.hashed(str(content.get("password", "")))})
    return Response(status=204)
