"""What Tempest has to know of a cloud, asked from the cloud. What it does not show is left at its default."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rallyflow.errors import CloudRefused, NotFound

if TYPE_CHECKING:
    from openstack.connection import Connection

    from rallyflow.model.values import Cloud

T = TypeVar("T")
_GIB = 1 << 30
SERVICES = ("identity", "image", "compute", "network", "block-storage", "object-store")


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is active; an admin sees also those that belong to other projects alone."""

    id: str
    name: str
    size: int  # bytes; 0 for the snapshot of a server on a volume
    min_ram: int = 0  # MB
    min_disk: int = 0  # GB: what it asks for, and at least what it takes
    public: bool = True
    owner: str = ""  # the id of a project


@dataclass(frozen=True, slots=True)
class Flavor:
    """A flavor that everybody may use."""

    id: str
    name: str
    ram: int  # MB
    disk: int = 0  # GB
    vcpus: int = 1


@dataclass(frozen=True, slots=True)
class Network:
    """A network that is shared, or leads outside."""

    id: str
    name: str
    external: bool = False
    shared: bool = False
    subnets: int = 0


@dataclass(frozen=True, slots=True)
class Microversions:
    """The least and the greatest microversion of a service; empty when it has none."""

    least: str = ""
    greatest: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cloud has."""

    auth_url: str
    region: str
    interface: str = "public"
    verify: bool | str = True  # a path: the authority to trust
    simulated: bool = False
    project: str = ""  # the id of ours
    services: frozenset[str] = frozenset()
    images: tuple[Image, ...] = ()
    flavors: tuple[Flavor, ...] = ()
    networks: tuple[Network, ...] = ()
    extensions: tuple[str, ...] = ()  # aliases, of the network service
    roles: frozenset[str] = frozenset()
    compute: Microversions = Microversions()
    volume: Microversions = Microversions()
    compute_hosts: int = 1
    hypervisors: frozenset[str] = frozenset()
    image_version: tuple[int, int] | None = None
    volume_catalog: str = ""  # the type that the catalogue has for block storage
    volume_types: tuple[str, ...] = ()
    volume_backends: int = 1
    backup: bool = False
    import_methods: tuple[str, ...] = ()

    def has(self, service: str) -> bool:
        """Whether the catalogue has a service, by its official type."""
        return service in self.services

    @property
    def reachable(self) -> bool:
        """Whether a server can be expected to be reached over a network: real hypervisors, and a way outside."""
        imaginary = self.simulated or self.hypervisors <= {"fake"}
        return not imaginary and any(network.external for network in self.networks)


def gather(cloud: Cloud) -> Facts:
    """Ask a cloud, as the user in its clouds.yaml. Raises CloudUnreachable, CloudRefused, NotFound or CloudAnswered."""
    from rallyflow.clouds.connection import connect, translated

    with translated(f"signing in to the cloud {cloud.name}"):
        connection = connect(cloud)
        connection.authorize()
    try:
        return _gather(cloud, connection)
    finally:
        connection.close()


def _gather(cloud: Cloud, connection: Connection) -> Facts:
    catalogue = _catalogue(connection)
    services = frozenset(name for name in SERVICES if _called(name, catalogue))
    verify, _cert = connection.config.get_requests_verify_args()

    def ask(service: str, what: str, question: Callable[[], Iterable[T]]) -> tuple[T, ...]:
        return _asked(what, question) if service in services else ()

    compute, network, storage = connection.compute, connection.network, connection.block_storage
    hosts = ask("compute", "its hypervisors", lambda: compute.hypervisors(details=True))
    volumes = ask("block-storage", "its services of volumes", storage.services) if "block-storage" in services else ()
    return Facts(
        auth_url=cloud.auth_url,
        region=cloud.region or connection.config.get_region_name() or "",
        interface=connection.config.get_interface() or "public",
        verify=verify,
        simulated=cloud.simulated,
        project=connection.current_project_id or "",
        services=services,
        images=ask("image", "its images", lambda: map(_image, connection.image.images(status="active"))),
        flavors=ask("compute", "its flavors", lambda: map(_flavor, compute.flavors(is_public=True))),
        networks=ask("network", "its networks", lambda: map(_network, network.networks())),
        extensions=tuple(sorted(ask("network", "its extensions", lambda: (e.alias for e in network.extensions())))),
        roles=frozenset(ask("identity", "its roles", lambda: (role.name for role in connection.identity.roles()))),
        compute=_microversions(connection, "compute"),
        volume=_microversions(connection, "block-storage") if "block-storage" in services else Microversions(),
        compute_hosts=max(1, len(hosts)),
        hypervisors=frozenset(str(host.hypervisor_type or "").lower() for host in hosts),
        image_version=_image_version(connection) if "image" in services else None,
        volume_catalog=_called("block-storage", catalogue),
        volume_types=ask("block-storage", "its volume types", lambda: (kind.name for kind in storage.types())),
        volume_backends=max(1, len({each.host for each in volumes if each.binary == "cinder-volume"})),
        backup=any(each.binary == "cinder-backup" and each.state == "up" for each in volumes),
        import_methods=_import_methods(connection) if "image" in services else (),
    )


def _catalogue(connection: Connection) -> frozenset[str]:
    """Return the types that the catalogue has an endpoint of, for our region and interface."""
    catalogue = connection.session.auth.get_access(connection.session).service_catalog
    found = catalogue.get_endpoints(
        interface=connection.config.get_interface() or "public",
        region_name=connection.config.get_region_name() or None,
    )
    return frozenset(kind for kind, endpoints in found.items() if endpoints)


def _called(service: str, catalogue: Collection[str]) -> str:
    """Return which of the names that a service has had the catalogue uses; empty when it has none of them."""
    from os_service_types import ServiceTypes

    return next((name for name in (service, *ServiceTypes().get_aliases(service)) if name in catalogue), "")


def _asked(what: str, question: Callable[[], Iterable[T]]) -> tuple[T, ...]:
    """Return what a list has; nothing when the cloud does not have or show it. Silence is an error."""
    from rallyflow.clouds.connection import translated

    try:
        with translated(f"asking the cloud for {what}"):
            return tuple(question())
    except (CloudRefused, NotFound):
        return ()


def _image(image: Any) -> Image:
    taken = math.ceil(max(image.size or 0, image.virtual_size or 0) / _GIB)
    return Image(
        image.id,
        image.name or "",
        image.size or 0,
        min_ram=image.min_ram or 0,
        min_disk=max(image.min_disk or 0, taken),
        public=image.visibility == "public",
        owner=image.owner_id or "",
    )


def _flavor(flavor: Any) -> Flavor:
    return Flavor(flavor.id, flavor.name, flavor.ram or 0, flavor.disk or 0, flavor.vcpus or 1)


def _network(network: Any) -> Network:
    return Network(
        network.id,
        network.name or "",
        external=bool(network.is_router_external),
        shared=bool(network.is_shared),
        subnets=len(network.subnet_ids or ()),
    )


def _versions(connection: Connection, service: str) -> Any:
    """Return what a service says of its versions; None when it says nothing, or is not for us."""
    from rallyflow.clouds.connection import translated

    try:
        with translated(f"asking for the versions of {service}"):
            return connection.session.get_endpoint_data(
                service_type=service,
                interface=connection.config.get_interface() or "public",
                region_name=connection.config.get_region_name() or None,
            )
    except (CloudRefused, NotFound):
        return None


def _microversions(connection: Connection, service: str) -> Microversions:
    data = _versions(connection, service)
    if data is None or not data.max_microversion:
        return Microversions()
    return Microversions(_dotted(data.min_microversion), _dotted(data.max_microversion))


def _image_version(connection: Connection) -> tuple[int, int] | None:
    data = _versions(connection, "image")
    version = data.api_version if data is not None else None
    return (version[0], version[1]) if version else None


def _dotted(version: tuple[int, ...] | None) -> str:
    return ".".join(str(number) for number in version or ())


def _import_methods(connection: Connection) -> tuple[str, ...]:
    def question() -> Iterable[str]:
        reply = connection.image.get("/info/import", raise_exc=False)
        if reply.status_code != 200:
            return ()
        found: list[str] = reply.json()["import-methods"]["value"]
        return found

    return _asked("its ways to import images", question)
