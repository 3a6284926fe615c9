"""What nova and cinder share: the shape of their errors, and microversions."""

from __future__ import annotations

from rallyflow.clouds.embedded.web import Fault, Response, Version

_KINDS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    501: "notImplemented",
}


def fault(error: Fault) -> Response:
    """Return an error as `{kind: {code, message}}`."""
    kind = _KINDS.get(error.status, "computeFault")
    return Response({kind: {"code": error.status, "message": error.message}}, error.status)


def parse(text: str, newest: str) -> Version:
    """Return a microversion that a header asks for; Fault 400 or 406 for one that is not there."""
    major, _, minor = (newest if text == "latest" else text).partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise Fault(400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
    most_major, _, most_minor = newest.partition(".")
    if major != most_major or int(minor) > int(most_minor):
        raise Fault(406, f"Version {text} is not supported by the API. Maximum is {newest}.")
    return int(major), int(minor)
