"""The compute service as a whole."""

from __future__ import annotations

from rallyflow.clouds.embedded import VERSIONS
from rallyflow.clouds.embedded.services import microversions
from rallyflow.clouds.embedded.web import Request, Service, Version


def _versioned(request: Request) -> Version:
    kind, _, text = request.header(b"openstack-api-version").partition(" ")
    if kind != "compute":
        text = request.header(b"x-openstack-nova-api-version")
    return microversions.parse(text.strip(), VERSIONS["nova"]) if text else (2, 1)


def _stamp(version: Version) -> tuple[tuple[bytes, bytes], ...]:
    text = b"%d.%d" % version
    return ((b"openstack-api-version", b"compute " + text), (b"x-openstack-nova-api-version", text))


SERVICE = Service("nova", "/compute/v2.1", microversions.fault, _versioned, _stamp)
