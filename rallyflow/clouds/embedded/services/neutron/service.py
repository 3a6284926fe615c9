"""The network service as a whole."""

from __future__ import annotations

from rallyflow.clouds.embedded.web import Fault, Response, Service

_KINDS = {400: "HTTPBadRequest", 403: "PolicyNotAuthorized", 404: "HTTPNotFound", 409: "Conflict"}


def _fault(fault: Fault) -> Response:
    kind = fault.kind or _KINDS.get(fault.status, "HTTPInternalServerError")
    return Response({"NeutronError": {"type": kind, "message": fault.message, "detail": ""}}, fault.status)


SERVICE = Service("neutron", "/network/v2.0", _fault)
