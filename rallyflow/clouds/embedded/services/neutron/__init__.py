"""Neutron v2: networks, subnets, ports, routers, security groups, floating addresses, quotas."""

from rallyflow.clouds.embedded.services.neutron import (
    floatingips,
    inventory,
    networks,
    ports,
    quotas,
    routers,
    security,
    subnets,
)
from rallyflow.clouds.embedded.services.neutron.service import SERVICE

__all__ = [
    "SERVICE",
    "floatingips",
    "inventory",
    "networks",
    "ports",
    "quotas",
    "routers",
    "security",
    "subnets",
]
