"""Which services there are, and where; all of it follows from the address of the process."""

from __future__ import annotations

from rallyflow.clouds.embedded.simulation import REGION
from rallyflow.clouds.embedded.store import Row

_SERVICES = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("volumev3", "cinderv3", "/volume/v3"),
)


def catalog(url: str) -> list[Row]:
    """Return the catalogue as it stands in a token."""
    return [
        {
            "id": f"service-{name}",
            "type": kind,
            "name": name,
            "endpoints": [_endpoint(url, name, path, interface) for interface in ("public", "internal", "admin")],
        }
        for kind, name, path in _SERVICES
    ]


def services() -> list[Row]:
    """Return the services, as the identity API lists them."""
    return [{"id": f"service-{name}", "type": kind, "name": name, "enabled": True} for kind, name, _ in _SERVICES]


def endpoints(url: str) -> list[Row]:
    """Return the endpoints, as the identity API lists them."""
    return [
        _endpoint(url, name, path, interface) | {"service_id": f"service-{name}", "enabled": True}
        for _, name, path in _SERVICES
        for interface in ("public", "internal", "admin")
    ]


def _endpoint(url: str, name: str, path: str, interface: str) -> Row:
    return {
        "id": f"{interface}-{name}",
        "interface": interface,
        "region": REGION,
        "region_id": REGION,
        "url": url + path,
    }
