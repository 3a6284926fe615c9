"""The simulated services, and the calls that they know."""

from __future__ import annotations

from rallyflow.clouds.embedded.services import discovery
from rallyflow.clouds.embedded.services.cinder import SERVICE as CINDER
from rallyflow.clouds.embedded.services.glance import SERVICE as GLANCE
from rallyflow.clouds.embedded.services.keystone import SERVICE as KEYSTONE
from rallyflow.clouds.embedded.services.neutron import SERVICE as NEUTRON
from rallyflow.clouds.embedded.services.nova import SERVICE as NOVA

SERVICES = (KEYSTONE, NOVA, GLANCE, NEUTRON, CINDER)

discovery.register(SERVICES)


def call_names() -> tuple[str, ...]:
    """Return the names of all calls whose time and failures can be set, such as `nova.create_server`."""
    names = {f"{route.service.name}.{route.name}" for service in SERVICES for *_, route in service.routes}
    return tuple(sorted(name for name in names if not name.endswith(".discover")))
