"""The volume service as a whole."""

from __future__ import annotations

from rallyflow.clouds.embedded import VERSIONS
from rallyflow.clouds.embedded.services import microversions
from rallyflow.clouds.embedded.web import Request, Service, Version


def _versioned(request: Request) -> Version:
    kind, _, text = request.header(b"openstack-api-version").partition(" ")
    return microversions.parse(text.strip(), VERSIONS["cinder"]) if kind == "volume" and text else (3, 0)


def _stamp(version: Version) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"openstack-api-version", b"volume %d.%d" % version),)


SERVICE = Service("cinder", "/volume/v3", microversions.fault, _versioned, _stamp)
