"""Roles, and who has which where."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.keystone.service import SERVICE
from rallyflow.clouds.embedded.services.listing import matching
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_TARGETS = ("projects", "domains")


def assign(cloud: Simulation, *, user: str, target: str, role: str) -> None:
    """Give a user a role in a project or a domain."""
    key = f"{user}:{target}:{role}"
    cloud.store.put("assignments", {"id": key, "user": user, "target": target, "role": role})


@SERVICE.route("POST", "/roles", "create_role")
def create_role(request: Request) -> Response:
    """Make a role."""
    request.need_admin("identity:create_role")
    content = request.content("role")
    if any(role["name"] == content.get("name") for role in request.cloud.store.rows("roles")):
        raise Fault(409, "Conflict occurred attempting to store role - Duplicate entry found with name.")
    row = {"domain_id": None, "description": None, "options": {}, **content, "id": clock.new_hex()}
    return Response({"role": request.cloud.store.put("roles", row)}, 201)


@SERVICE.route("GET", "/roles", "list_roles")
def list_roles(request: Request) -> Response:
    """List the roles."""
    request.need_admin("identity:list_roles")
    rows = matching(request.cloud.store.rows("roles"), request, ("name", "domain_id"))
    return Response({"roles": rows, "links": {}})


@SERVICE.route("GET", "/roles/{}", "get_role")
def get_role(request: Request) -> Response:
    """Show a role."""
    request.need_admin("identity:get_role")
    return Response({"role": _role(request, request.args[0])})


@SERVICE.route("PATCH", "/roles/{}", "update_role")
def update_role(request: Request) -> Response:
    """Change a role."""
    request.need_admin("identity:update_role")
    role = _role(request, request.args[0])
    row = request.cloud.store.put("roles", role | request.content("role") | {"id": role["id"]})
    request.cloud.forget_identities()
    return Response({"role": row})


@SERVICE.route("DELETE", "/roles/{}", "delete_role")
def delete_role(request: Request) -> Response:
    """Remove a role from everybody, and altogether."""
    request.need_admin("identity:delete_role")
    role, store = _role(request, request.args[0]), request.cloud.store
    for row in [row for row in store.rows("assignments") if row["role"] == role["id"]]:
        store.remove("assignments", row["id"])
    store.remove("roles", role["id"])
    request.cloud.forget_identities()
    return Response(status=204)


@SERVICE.route("GET", "/role_assignments", "list_role_assignments")
def list_role_assignments(request: Request) -> Response:
    """List who has which role where."""
    request.need_admin("identity:list_role_assignments")
    query = request.query
    scope = query.get("scope.project.id") or query.get("scope.domain.id")
    rows = [
        row
        for row in request.cloud.store.rows("assignments")
        if query.get("user.id", row["user"]) == row["user"]
        and query.get("role.id", row["role"]) == row["role"]
        and (scope is None or scope == row["target"])
    ]
    shown = [_assignment(request.cloud, row, named="include_names" in query) for row in rows]
    return Response({"role_assignments": shown, "links": {}})


def _put(request: Request) -> Response:
    request.need_admin("identity:create_grant")
    target, user, role = _grant(request)
    assign(request.cloud, user=user, target=target, role=role)
    request.cloud.forget_identities()
    return Response(status=204)


def _delete(request: Request) -> Response:
    request.need_admin("identity:revoke_grant")
    request.cloud.store.remove("assignments", _assigned(request))
    request.cloud.forget_identities()
    return Response(status=204)


def _check(request: Request) -> Response:
    request.need_admin("identity:check_grant")
    _assigned(request)
    return Response(status=204)


def _list(request: Request) -> Response:
    request.need_admin("identity:list_grants")
    target, user = request.args
    return Response({"roles": request.cloud.roles_of(user, target), "links": {}})


for _target in _TARGETS:
    _path = f"/{_target}/{{}}/users/{{}}/roles"
    _one = _target[:-1]
    SERVICE.route("GET", _path, f"list_{_one}_roles")(_list)
    SERVICE.route("PUT", f"{_path}/{{}}", f"assign_{_one}_role")(_put)
    SERVICE.route("DELETE", f"{_path}/{{}}", f"unassign_{_one}_role")(_delete)
    SERVICE.route("HEAD", f"{_path}/{{}}", f"check_{_one}_role")(_check)
    SERVICE.route("GET", f"{_path}/{{}}", f"check_{_one}_role")(_check)


def _grant(request: Request) -> tuple[str, str, str]:
    """Return target, user and role of a grant, all of which exist."""
    target, user, role = request.args
    store = request.cloud.store
    if not any(store.get(table, target) for table in _TARGETS):
        raise Fault(404, f"Could not find project: {target}.")
    if store.get("users", user) is None:
        raise Fault(404, f"Could not find user: {user}.")
    _role(request, role)
    return target, user, role


def _assigned(request: Request) -> str:
    target, user, role = request.args
    key = f"{user}:{target}:{role}"
    if request.cloud.store.get("assignments", key) is None:
        raise Fault(404, f"Could not find role assignment with role: {role}, user: {user}, project: {target}.")
    return key


def _role(request: Request, key: str) -> Row:
    role = request.cloud.store.get("roles", key)
    if role is None:
        raise Fault(404, f"Could not find role: {key}.")
    return role


def _assignment(cloud: Simulation, row: Row, *, named: bool) -> Row:
    kind = "project" if cloud.store.get("projects", row["target"]) else "domain"
    shown: Row = {
        "role": {"id": row["role"]},
        "user": {"id": row["user"]},
        "scope": {kind: {"id": row["target"]}},
        "links": {},
    }
    if named:
        shown["role"]["name"] = (cloud.store.get("roles", row["role"]) or {}).get("name")
        shown["user"]["name"] = (cloud.store.get("users", row["user"]) or {}).get("name")
        shown["scope"][kind]["name"] = (cloud.store.get(f"{kind}s", row["target"]) or {}).get("name")
    return shown
