"""Version documents: what every client reads before its first call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rallyflow.clouds.embedded import VERSIONS
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Request, Response, Route, Service

_UPDATED = "2026-04-01T00:00:00Z"

_DOCUMENTS: dict[str, Row] = {
    "keystone": {"id": f"v{VERSIONS['keystone']}", "status": "stable"},
    "nova": {"id": "v2.1", "status": "CURRENT", "min_version": "2.1", "version": VERSIONS["nova"]},
    "glance": {"id": f"v{VERSIONS['glance']}", "status": "CURRENT"},
    "neutron": {"id": f"v{VERSIONS['neutron']}", "status": "CURRENT"},
    "cinder": {"id": "v3.0", "status": "CURRENT", "min_version": "3.0", "version": VERSIONS["cinder"]},
}


def register(services: Iterable[Service]) -> None:
    """Give every service the documents at its root and at its version."""
    for service in services:
        root = service.prefix.rpartition("/")[0]
        for path in {root, service.prefix}:
            handler = _handler(service, single=path != root)
            service.routes.append(("GET", path, Route(service, "discover", handler, public=True, free=True)))


def _handler(service: Service, *, single: bool) -> Any:
    multiple = 300 if service.name in ("keystone", "glance") else 200

    def discover(request: Request) -> Response:
        document = _document(service, request.cloud.url)
        if single and service.name != "neutron":
            return Response({"version": document})
        if single:
            return Response({"resources": []})
        listed = {"values": [document]} if service.name == "keystone" else [document]
        return Response({"versions": listed}, multiple)

    return discover


def _document(service: Service, url: str) -> Row:
    links = [{"rel": "self", "href": f"{url}{service.prefix}/"}]
    return {"updated": _UPDATED, "media-types": [], **_DOCUMENTS[service.name], "links": links}
