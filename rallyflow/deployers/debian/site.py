"""What every service of a cloud has to know about the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from rallyflow.deployers.debian.agent.plan import DATA, Account, File, Folder, Ready, Unit, Wait
from rallyflow.deployers.debian.ini import Options, merge, render
from rallyflow.deployers.debian.layout import Layout, Placed
from rallyflow.deployers.debian.passwords import Passwords

PORTS: Mapping[str, int] = {
    "keystone": 5000,
    "glance-api": 9292,
    "placement-api": 8778,
    "nova-api": 8774,
    "neutron-api": 9696,
    "cinder-api": 8776,
    "heat-api": 8004,
    "swift-proxy": 8080,
}

SHARED = ("keystone", "placement-api", "nova-api", "neutron-api", "cinder-api", "heat-api")
"""The APIs that keep nothing themselves: each controller has them. Images and objects are files of the first one."""

_PHASE_OF_WAITS = "services"  # the phases before it are as long as the first controller takes


@dataclass(frozen=True, slots=True)
class Site:
    """One cloud, as its services see it."""

    layout: Layout
    passwords: Passwords
    region: str
    config: Mapping[str, Options] = field(default_factory=dict)  # service to what the workflow sets
    take_over: bool = False
    driver: str = "fake"
    virt_type: str = "qemu"
    volume_driver: str = "fake"
    volume_group: str = ""
    network_driver: str = "linuxbridge"
    optional: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)  # package to version, on the controller
    kernels: Mapping[str, Collection[str]] = field(default_factory=dict)  # server to what its kernel has

    @property
    def host(self) -> str:
        """The first controller's address: everything that others ask is there."""
        return self.layout.controller.address

    @property
    def balanced(self) -> bool:
        """Whether there are several controllers, with a load balancer before their APIs."""
        return len(self.layout.controllers) > 1

    def datapath(self, server: Placed) -> str:
        """Return what forwards for Open vSwitch on a server: the kernel, where it can, or the switch itself."""
        return "system" if "openvswitch" in self.kernels.get(server.name, ()) else "netdev"

    @property
    def memcached(self) -> str:
        """Where memcached is. Controllers share one: keystone tells its others through it what holds no longer."""
        return f"{self.host if self.balanced else '127.0.0.1'}:11211"

    def is_first(self, server: Placed) -> bool:
        """Whether a server is the first controller, which has all that there is once."""
        return server.name == self.layout.controller.name

    def url(self, service: str, path: str = "") -> str:
        """Return where an API answers."""
        return f"http://{self.host}:{PORTS[service]}{path}"

    def binds(self, service: str, server: Placed) -> str:
        """Return the address that an API listens at: the load balancer has the first controller's own."""
        behind = self.balanced and service in SHARED and self.is_first(server)
        return "127.0.0.1" if behind else "0.0.0.0"  # noqa: S104

    def behind(self, service: str, server: Placed) -> str:
        """Return where one controller's own API answers, as `host:port`."""
        bound = self.binds(service, server)
        return f"{bound if bound == '127.0.0.1' else server.address}:{PORTS[service]}"

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return self.url("keystone", "/v3")

    @property
    def transport(self) -> str:
        """The message queue's address, with its password."""
        return f"rabbit://openstack:{self.passwords.users['rabbit']}@{self.host}:5672/"

    def database(self, user: str, name: str = "") -> str:
        """Return a database's address, with its password."""
        return f"mysql+pymysql://{user}:{self.passwords.users[user]}@{self.host}:3306/{name or user}"

    def options(self, service: str, base: Options) -> str:
        """Return a configuration file: ours, with what the workflow sets."""
        return render(merge(base, self.config.get(service, {})))

    def login(self, user: str) -> dict[str, str | int | bool]:
        """Return the options with which a service signs in."""
        return {
            "auth_type": "password",
            "auth_url": self.auth_url,
            "project_domain_name": "Default",
            "user_domain_name": "Default",
            "project_name": "service",
            "username": user,
            "password": self.passwords.users[user],
            "region_name": self.region,
        }

    def token_check(self, user: str) -> dict[str, str | int | bool]:
        """Return the options with which a service checks the tokens that it is shown."""
        return {
            **self.login(user),
            "www_authenticate_uri": self.auth_url,
            "memcached_servers": self.memcached,
            "service_token_roles_required": True,
            "service_token_roles": "service",
        }

    def queue(self, name: str) -> Ready:
        """Return the question whether somebody takes messages from a queue."""
        return Ready("queue", f"{self.host}:5672", "openstack", self.passwords.users["rabbit"], name)

    def answers(self, service: str) -> Ready:
        """Return the question whether an API answers those who use it."""
        return Ready("http", self.url(service, probe(service)))

    def answers_on(self, service: str, server: Placed) -> Ready:
        """Return the question whether the API of one controller answers."""
        return Ready("http", f"http://{self.behind(service, server)}{probe(service)}")

    def once(self, server: Placed, unit: Unit, sign: Ready) -> Unit:
        """Return a unit that is for the first controller alone; for others, the wait for what follows from it."""
        return unit if self.is_first(server) else Wait(unit.name, _PHASE_OF_WAITS, (), sign)

    def key(self, *packages: str) -> str:
        """Return a name for the versions of packages; empty ones too, so that it never lies."""
        return "_".join(self.versions.get(package, "none").replace("/", "-").replace(":", "-") for package in packages)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service needs on one server."""

    packages: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()
    accounts: tuple[Account, ...] = ()
    databases: Mapping[str, str] = field(default_factory=dict)  # database to its user
    undo: tuple[tuple[str, ...], ...] = ()

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            self.packages + other.packages,
            self.folders + other.folders,
            self.files + other.files,
            self.units + other.units,
            self.accounts + other.accounts,
            {**self.databases, **other.databases},
            self.undo + other.undo,
        )


def probe(service: str) -> str:
    """Return a path that an API answers to anybody."""
    return "/healthcheck" if service == "heat-api" else "/"


def data(name: str) -> str:
    """Return the folder of a service's own data."""
    return f"{DATA}/{name}"
