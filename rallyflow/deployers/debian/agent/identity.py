"""Tells keystone who the services are and where they answer, over its API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from .events import AgentError
from .plan import Account, Identity

_PATIENCE = 60.0  # seconds for one answer
_INTERFACES = ("public", "internal", "admin")

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def register(unit: Identity) -> None:
    """Make what is missing of project, roles, users, services and endpoints; set what is different."""
    api = _Api(unit)
    project = api.one("projects", "service", {"domain_id": "default"})
    roles = [api.one("roles", name, {}) for name in ("admin", "service", *unit.roles)][:2]
    for domain in unit.domains:
        found = api.one("domains", domain.name, {})
        admin = api.one("users", domain.admin, {"domain_id": found["id"]}, {"password": domain.password})
        api.call("PUT", f"/domains/{found['id']}/users/{admin['id']}/roles/{roles[0]['id']}")
    services = {each["type"]: each for each in api.get("/services")["services"]}
    endpoints = {(each["service_id"], each["interface"]): each for each in api.get("/endpoints")["endpoints"]}
    for account in unit.accounts:
        user = api.one("users", account.user, {"domain_id": "default"}, {"password": account.password})
        for role in roles:
            api.call("PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        if account.service:
            _publish(api, account, unit.region, services, endpoints)


def _publish(
    api: _Api, account: Account, region: str, services: dict[str, Any], endpoints: dict[tuple[str, str], Any]
) -> None:
    service = services.get(account.type) or api.post("service", {"name": account.service, "type": account.type})
    for interface in _INTERFACES:
        wanted = {"service_id": service["id"], "interface": interface, "url": account.url, "region_id": region}
        there = endpoints.get((service["id"], interface))
        if there is None:
            api.post("endpoint", wanted)
        elif any(there[key] != value for key, value in wanted.items()):
            api.call("PATCH", f"/endpoints/{there['id']}", {"endpoint": wanted})


class _Api:
    """Keystone, as admin."""

    def __init__(self, unit: Identity) -> None:
        self._url = unit.auth_url
        user = {"name": "admin", "domain": {"id": "default"}, "password": unit.password}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        self._token = ""
        self._token = str(self.call("POST", "/auth/tokens", {"auth": auth})[1]["X-Subject-Token"])

    def one(
        self, kind: str, name: str, more: dict[str, object], secret: dict[str, object] | None = None
    ) -> dict[str, Any]:
        """Return the object of a name, made when there is none; `secret` is set in any case."""
        found = self.get(f"/{kind}?name={name}")[kind]
        if found and secret:
            self.call("PATCH", f"/{kind}/{found[0]['id']}", {kind[:-1]: secret})
        return found[0] if found else self.post(kind[:-1], {"name": name, **more, **(secret or {})})

    def get(self, path: str) -> dict[str, Any]:
        """Return what a list holds."""
        return self.call("GET", path)[0]

    def post(self, key: str, content: dict[str, object]) -> dict[str, Any]:
        """Make an object."""
        return dict(self.call("POST", f"/{key}s", {key: content})[0][key])

    def call(self, method: str, path: str, body: object = None) -> tuple[dict[str, Any], Any]:
        """Send a request; returns the answer's content and headers. Raises AgentError."""
        request = urllib.request.Request(self._url + path, method=method)  # noqa: S310 - the plan says http
        request.add_header("X-Auth-Token", self._token)
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with _opener.open(request, data, timeout=_PATIENCE) as reply:
                content = reply.read()
                return (json.loads(content) if content else {}), reply.headers
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise AgentError(f"keystone answers {method} {path} with {error.code}", said) from error
        except (OSError, ValueError) as error:
            raise AgentError(f"keystone does not answer {method} {path}: {error}") from error
