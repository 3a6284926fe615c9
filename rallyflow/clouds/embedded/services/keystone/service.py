"""The identity service as a whole."""

from __future__ import annotations

from http import HTTPStatus

from rallyflow.clouds.embedded.web import Fault, Response, Service


def _fault(fault: Fault) -> Response:
    title = HTTPStatus(fault.status).phrase
    return Response({"error": {"code": fault.status, "title": title, "message": fault.message}}, fault.status)


SERVICE = Service("keystone", "/identity/v3", _fault)
