"""The plan of each server of a cloud: a pure function of its layout, its secrets and its options."""

from __future__ import annotations

from collections.abc import Mapping

from rallyflow.deployers.debian.agent.plan import Databases, Domain, Folder, Identity, Plan, Unit, Wait
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.deployers.debian.services import heat, libvirt, openvswitch, swift
from rallyflow.deployers.debian.services.balancer import NAME as BALANCER
from rallyflow.deployers.debian.services.balancer import balancer
from rallyflow.deployers.debian.services.cinder import cinder
from rallyflow.deployers.debian.services.glance import glance
from rallyflow.deployers.debian.services.infrastructure import infrastructure
from rallyflow.deployers.debian.services.keystone import keystone
from rallyflow.deployers.debian.services.neutron import has_agent, neutron
from rallyflow.deployers.debian.services.nova import discover, nova
from rallyflow.deployers.debian.services.placement import placement
from rallyflow.deployers.debian.site import Parts, Site

STOPPED = (
    "haproxy",
    "mariadb",
    "rabbitmq-server",
    "memcached",
    "keystone",
    "glance-api",
    "placement-api",
    "nova-api",
    "nova-api-metadata",
    "nova-conductor",
    "nova-scheduler",
    "nova-compute",
    "neutron-api",
    "neutron-rpc-server",
    "neutron-linuxbridge-agent",
    "neutron-openvswitch-agent",
    "cinder-api",
    "cinder-scheduler",
    "cinder-volume",
    "tgt",
    "heat-api",
    "heat-engine",
    "swift-proxy",
    "swift-account",
    "swift-container",
    "swift-object",
)
"""The packages' own services, in whose place ours run."""


def plan_for(site: Site, server: Placed, timeout: float) -> Plan:
    """Return what a server has to be."""
    parts = parts_of(site, server)
    return Plan(
        deployment=site.passwords.deployment,
        timeout=timeout,
        take_over=site.take_over,
        packages=parts.packages,
        stop_units=STOPPED + _stopped_for_drivers(site),
        hosts={each.name: each.address for each in site.layout.servers},
        folders=(Folder("/etc/rallyflow"), *parts.folders),
        files=parts.files,
        units=parts.units,
        undo=parts.undo,
    )


def _stopped_for_drivers(site: Site) -> tuple[str, ...]:
    return (
        *(openvswitch.OWN_UNITS if site.network_driver == "openvswitch" else ()),
        *(libvirt.OWN_UNITS if site.driver == "libvirt" else ()),
    )


def packages_for(site: Site, server: Placed) -> tuple[str, ...]:
    """Return the packages that a server needs."""
    return tuple(dict.fromkeys(parts_of(site, server).packages))


def parts_of(site: Site, server: Placed) -> Parts:
    """Return what all services need on a server."""
    controller, first = Role.CONTROLLER in server.roles, site.is_first(server)
    parts = Parts(("python3-amqp",))
    if controller:
        parts += infrastructure(site, server) + keystone(site, server)
    if first:
        parts += glance(site, server)
    if controller:
        parts += placement(site, server)
    if server.roles & {Role.CONTROLLER, Role.COMPUTE}:
        parts += nova(site, server)
    if controller or has_agent(server):
        parts += neutron(site, server)
    parts += cinder(site, server)
    if controller and heat.NAME in site.optional:
        parts += heat.heat(site, server)
    if first and swift.NAME in site.optional:
        parts += swift.swift(site)
    if first and site.balanced:
        parts += balancer(site)
    if first:
        return parts + Parts(units=(_databases(site, parts.databases), _identity(site, parts), *_hosts(site)))
    return parts + (Parts(units=(_catalogue(site),)) if controller else Parts())


def _catalogue(site: Site) -> Wait:
    """Return the wait of other controllers for the catalogue: the first one's conductor comes after that."""
    return Wait("catalogue", "services", (), site.queue(f"conductor.{site.layout.controller.name}"))


def _databases(site: Site, owners: Mapping[str, str]) -> Databases:
    passwords = site.passwords.users
    return Databases(
        "databases", "databases", ("mariadb",), {name: (user, passwords[user]) for name, user in owners.items()}
    )


def _hosts(site: Site) -> tuple[Unit, ...]:
    """The compute hosts, also those on other servers: each is mapped to its cell once it takes messages."""
    names = tuple(each.name for each in site.layout.of(Role.COMPUTE))
    waits = tuple(Wait(f"{name}-registered", "register", (), site.queue(f"compute.{name}")) for name in names)
    return (*waits, discover(names, tuple(wait.name for wait in waits)))


def _identity(site: Site, parts: Parts) -> Identity:
    wants_heat = heat.NAME in site.optional
    roles = (*(heat.ROLES if wants_heat else ()), *(swift.ROLES if swift.NAME in site.optional else ()))
    domains = (Domain(heat.DOMAIN, heat.DOMAIN_ADMIN, site.passwords.users["heat"]),) if wants_heat else ()
    return Identity(
        "catalogue",
        "identity",
        ("keystone", "keystone-bootstrap", *((BALANCER,) if site.balanced else ())),
        site.auth_url,
        site.passwords.users["admin"],
        site.region,
        parts.accounts,
        roles,
        domains,
    )
