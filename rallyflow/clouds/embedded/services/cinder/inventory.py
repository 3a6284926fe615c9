"""What there is beside volumes: services, availability zones, extensions."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.cinder.service import SERVICE
from rallyflow.clouds.embedded.web import Request, Response


@SERVICE.route("GET", "/os-services", "list_services")
def list_services(request: Request) -> Response:
    """List the processes that a real cloud would have."""
    request.need_admin("volume_extension:services:index")
    rows = [
        {
            "binary": binary,
            "host": "embedded-storage",
            "zone": "nova",
            "status": "enabled",
            "state": "up",
            "updated_at": clock.precisely().rstrip("Z"),
            "disabled_reason": None,
        }
        for binary in ("cinder-scheduler", "cinder-volume")
    ]
    return Response({"services": rows})


@SERVICE.route("GET", "/os-availability-zone", "list_availability_zones")
def list_zones(_request: Request) -> Response:
    """List the one availability zone."""
    return Response({"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]})


@SERVICE.route("GET", "/extensions", "list_extensions")
def list_extensions(_request: Request) -> Response:
    """List the extensions: microversions have replaced them."""
    return Response({"extensions": []})


@SERVICE.route("GET", "/backups/detail", "list_backups")
def list_backups(_request: Request) -> Response:
    """List the backups: none."""
    return Response({"backups": []})
