"""Tokens: made from a password or another token, scoped or not, shown, and revoked."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.keystone import catalog, passwords
from rallyflow.clouds.embedded.services.keystone.service import SERVICE
from rallyflow.clouds.embedded.simulation import REGION, Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_REFUSED = "The request you have made requires authentication."


@SERVICE.route("POST", "/auth/tokens", "authenticate", public=True)
def authenticate(request: Request) -> Response:
    """Make a token."""
    cloud, auth = request.cloud, request.content("auth")
    identity = auth.get("identity")
    if not isinstance(identity, dict) or not isinstance(identity.get("methods"), list):
        raise Fault(400, "Expecting to find identity in auth.")
    user = _user_by_method(cloud, identity)
    project, domain = _scope(cloud, auth.get("scope"), user, identity["methods"])
    scope = project or domain
    if scope and not cloud.roles_of(user["id"], scope):
        raise Fault(401, _REFUSED)
    row = {
        "id": f"gAAAAA{clock.new_hex()}{clock.new_hex()}",
        "user": user["id"],
        "project": project,
        "domain": domain,
        "methods": identity["methods"],
        "issued_at": clock.precisely(),
        "expires_at": clock.precisely(ahead=cloud.speed.token_lifetime),
    }
    _drop_expired(cloud)
    cloud.store.put("tokens", row)
    shown = _shown(cloud, row, catalogued="nocatalog" not in request.query)
    return Response(shown, 201, ((b"x-subject-token", row["id"].encode()), (b"vary", b"X-Auth-Token")))


@SERVICE.route("GET", "/auth/tokens", "get_token")
def get_token(request: Request) -> Response:
    """Show the token that X-Subject-Token names."""
    row = _subject(request)
    shown = _shown(request.cloud, row, catalogued="nocatalog" not in request.query)
    return Response(shown, headers=((b"x-subject-token", row["id"].encode()),))


@SERVICE.route("HEAD", "/auth/tokens", "check_token")
def check_token(request: Request) -> Response:
    """Answer whether the token that X-Subject-Token names is good."""
    _subject(request)
    return Response()


@SERVICE.route("DELETE", "/auth/tokens", "revoke_token")
def revoke_token(request: Request) -> Response:
    """Revoke the token that X-Subject-Token names."""
    row = _subject(request)
    request.cloud.store.remove("tokens", row["id"])
    request.cloud.forget_identities()
    return Response(status=204)


@SERVICE.route("GET", "/auth/catalog", "get_catalog")
def get_catalog(request: Request) -> Response:
    """Show the catalogue."""
    return Response({"catalog": catalog.catalog(request.cloud.url), "links": {}})


@SERVICE.route("GET", "/auth/projects", "list_own_projects")
def list_own_projects(request: Request) -> Response:
    """List the projects that the asker could have a token for."""
    return Response({"projects": _projects_of(request.cloud, request.identity.user), "links": {}})


@SERVICE.route("GET", "/users/{}/projects", "list_user_projects")
def list_user_projects(request: Request) -> Response:
    """List the projects in which a user has a role."""
    if request.args[0] != request.identity.user:
        request.need_admin("identity:list_user_projects")
    return Response({"projects": _projects_of(request.cloud, request.args[0]), "links": {}})


@SERVICE.route("GET", "/services", "list_services")
def list_services(request: Request) -> Response:
    """List the services."""
    request.need_admin("identity:list_services")
    wanted = {name: request.query[name] for name in ("type", "name") if name in request.query}
    found = [s for s in catalog.services() if all(s[name] == value for name, value in wanted.items())]
    return Response({"services": found, "links": {}})


@SERVICE.route("GET", "/endpoints", "list_endpoints")
def list_endpoints(request: Request) -> Response:
    """List the endpoints."""
    request.need_admin("identity:list_endpoints")
    return Response({"endpoints": catalog.endpoints(request.cloud.url), "links": {}})


@SERVICE.route("GET", "/regions", "list_regions")
def list_regions(_request: Request) -> Response:
    """List the one region."""
    return Response({"regions": [{"id": REGION, "description": "", "parent_region_id": None}], "links": {}})


def _user_by_method(cloud: Simulation, identity: dict[str, Any]) -> Row:
    if "password" in identity["methods"]:
        given = (identity.get("password") or {}).get("user") or {}
        user = _find_user(cloud, given)
        if user is None or not passwords.fits(str(given.get("password", "")), user["_password"]):
            raise Fault(401, _REFUSED)
    elif "token" in identity["methods"]:
        token = cloud.store.get("tokens", str((identity.get("token") or {}).get("id")))
        user = cloud.store.get("users", token["user"]) if token and token["expires_at"] > clock.precisely() else None
    else:
        raise Fault(401, f"Attempted to authenticate with an unsupported method: {identity['methods']}.")
    if user is None or not user["enabled"]:
        raise Fault(401, _REFUSED)
    return user


def _find_user(cloud: Simulation, given: dict[str, Any]) -> Row | None:
    if given.get("id"):
        return cloud.store.get("users", given["id"])
    domain = _find_domain(cloud, given.get("domain") or {})
    rows = cloud.store.rows("users")
    return next((u for u in rows if domain and u["name"] == given.get("name") and u["domain_id"] == domain), None)


def _find_domain(cloud: Simulation, given: dict[str, Any]) -> str | None:
    rows = cloud.store.rows("domains")
    wanted = ("id", given["id"]) if given.get("id") else ("name", given.get("name"))
    return next((domain["id"] for domain in rows if domain[wanted[0]] == wanted[1]), None)


def _scope(cloud: Simulation, scope: Any, user: Row, methods: list[str]) -> tuple[str, str]:
    """Return the project or the domain that a token is wanted for; both empty for an unscoped one."""
    if scope == "unscoped" or (isinstance(scope, dict) and "unscoped" in scope):
        return "", ""
    if not isinstance(scope, dict):
        usual = user.get("default_project_id") or ""
        return (usual, "") if methods != ["token"] and usual and cloud.roles_of(user["id"], usual) else ("", "")
    if "domain" in scope:
        domain = _find_domain(cloud, scope["domain"])
        if domain is None:
            raise Fault(401, _REFUSED)
        return "", domain
    given = scope.get("project")
    if not isinstance(given, dict):
        raise Fault(400, "the embedded cloud knows scopes of a project or a domain")
    project = _find_project(cloud, given)
    if project is None or not project["enabled"]:
        raise Fault(401, _REFUSED)
    return project["id"], ""


def _find_project(cloud: Simulation, given: dict[str, Any]) -> Row | None:
    if given.get("id"):
        return cloud.store.get("projects", given["id"])
    domain = _find_domain(cloud, given.get("domain") or {})
    rows = cloud.store.rows("projects")
    return next((p for p in rows if domain and p["name"] == given.get("name") and p["domain_id"] == domain), None)


def _projects_of(cloud: Simulation, user: str) -> list[Row]:
    targets = dict.fromkeys(row["target"] for row in cloud.store.rows("assignments") if row["user"] == user)
    return [project for target in targets if (project := cloud.store.get("projects", target))]


def _subject(request: Request) -> Row:
    token = request.header(b"x-subject-token")
    row = request.cloud.store.get("tokens", token)
    if row is None or request.cloud.identify(token) is None:
        raise Fault(404, "Could not find token.")
    if row["user"] != request.identity.user:
        request.need_admin("identity:validate_token")
    return row


def _shown(cloud: Simulation, row: Row, *, catalogued: bool) -> Row:
    user = cloud.store.get("users", row["user"]) or {}
    token: Row = {
        "methods": row["methods"],
        "user": _named(cloud, user) | {"password_expires_at": None},
        "audit_ids": [row["id"][-22:]],
        "issued_at": row["issued_at"],
        "expires_at": row["expires_at"],
    }
    scope = row["project"] or row["domain"]
    if scope:
        token["roles"] = [{"id": role["id"], "name": role["name"]} for role in cloud.roles_of(row["user"], scope)]
        if catalogued:
            token["catalog"] = catalog.catalog(cloud.url)
    if row["project"]:
        token["project"] = _named(cloud, cloud.store.get("projects", scope) or {})
        token["is_domain"] = False
    elif row["domain"]:
        domain = cloud.store.get("domains", scope) or {}
        token["domain"] = {"id": scope, "name": domain.get("name")}
    return {"token": token}


def _named(cloud: Simulation, row: Row) -> Row:
    domain = cloud.store.get("domains", row["domain_id"]) or {}
    return {
        "id": row["id"],
        "name": row["name"],
        "domain": {"id": row["domain_id"], "name": domain.get("name")},
    }


def _drop_expired(cloud: Simulation) -> None:
    """Remove the oldest tokens that have expired; tokens are in the order of their making."""
    now = clock.precisely()
    expired = []
    for row in cloud.store.rows("tokens"):
        if row["expires_at"] > now:
            break
        expired.append(row["id"])
    for token in expired:
        cloud.store.remove("tokens", token)
