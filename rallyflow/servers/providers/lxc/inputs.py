"""What a workflow file says about containers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rallyflow.model.step import StepModel
from rallyflow.model.values import Servers
from rallyflow.servers.packages import MARK, SETS
from rallyflow.units import Duration, Size

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_PACKAGE = re.compile(r"@[a-z0-9-]+|[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?")
_LEAST_MEMORY = 32 << 20  # bytes
_LEAST_CPUS = 0.01  # Linux takes no quota below a millisecond of each tenth of a second
_MOST_CPUS = 4096


def _label(text: str) -> str:
    if "${{" not in text and not _LABEL.fullmatch(text):
        raise ValueError("a server's name has small letters, digits and hyphens, and at most 40 of them")
    if text == "localhost":
        raise ValueError("'localhost' is each server itself")
    return text


def _package(text: str) -> str:
    if "${{" not in text and not _PACKAGE.fullmatch(text):
        raise ValueError(f"{text!r} can't be the name of a Debian package")
    if text.startswith(MARK) and text.removeprefix(MARK) not in SETS:
        raise ValueError(f"there is no set of packages {text!r}: there is {', '.join(MARK + name for name in SETS)}")
    return text


def _network(network: IPv4Network) -> IPv4Network:
    """Refuse networks in which nothing can have an address; IPv4Network alone would let them pass."""
    for what in ("multicast", "reserved", "loopback", "unspecified", "link_local"):
        if getattr(network, f"is_{what}"):
            raise ValueError(f"no server can be in {network}: its addresses are {what.replace('_', '-')}")
    return network


class LxcServer(StepModel):
    """One container, or several of one kind."""

    name: Annotated[str, AfterValidator(_label)] = Field(
        description="Its name and host name; with a `count` above 1 the beginning of their names, such as compute1"
    )
    role: str = Field("", description="A role that later steps can select by")
    count: int = Field(1, ge=1, le=200, description="How many of them")
    address: IPv4Address | None = Field(None, description="In the `network`; default: the next free one")
    cpus: float | None = Field(
        None, ge=_LEAST_CPUS, le=_MOST_CPUS, description="Processors' worth of time; default: that of the step"
    )
    memory: Size | None = Field(None, ge=_LEAST_MEMORY, description="At most; default: that of the step")
    host: str = Field("", description="The name of the host to be on; default: they take turns")

    @property
    def names(self) -> list[str]:
        """The names of the containers."""
        return [self.name] if self.count == 1 else [f"{self.name}{number}" for number in range(1, self.count + 1)]


class LxcInputs(StepModel):
    """The inputs of `uses: provision/lxc`: `count` containers that are alike, or `servers`."""

    count: int | None = Field(None, ge=1, le=200, description="How many containers: server1, server2, ...")
    servers: tuple[LxcServer, ...] = Field((), description="The containers, each with a name")
    hosts: Servers = Field((), description="Where they run: the servers of another step; default: on this machine")
    image: str = Field(
        "",
        description="A golden image of `rallyflow images`; instead of `release`, `packages`, `seed` and `mirror`",
    )
    release: str = Field("bookworm", pattern=r"^([a-z]+|\$\{\{.*\}\})$", description="The release of Debian")
    packages: tuple[Annotated[str, AfterValidator(_package)], ...] = Field(
        (), description=f"What is installed in the image; whole sets are {', '.join('@' + name for name in SETS)}"
    )
    seed: tuple[str, ...] = Field((), description="Shell commands that finish the image, run in it as root")
    mirror: str = Field("", description="Where Debian comes from; default: as apt of the host has it")
    init: Literal["minimal", "systemd"] = Field(
        "minimal", description="The first process: one of ours that starts sshd only, or systemd"
    )
    cpus: float | None = Field(
        None, ge=_LEAST_CPUS, le=_MOST_CPUS, description="Processors' worth of time of each container; default: all"
    )
    memory: Size | None = Field(None, ge=_LEAST_MEMORY, description="At most, of each container; default: all")
    network: Annotated[IPv4Network, AfterValidator(_network)] | None = Field(
        None, description="Their L3 network, such as 10.1.0.0/24; default: a free one of 10.213.0.0/16"
    )
    underlay: str = Field(
        "", description="The hosts' network that joins them, when they have several; default: where we reach them"
    )
    nat: bool = Field(False, description="Let the containers reach what their host reaches")
    forward_ssh: bool = Field(False, description="Lead a port of the host to each container's sshd")
    nesting: bool = Field(False, description="Let the containers hold containers themselves")
    install: bool = Field(False, description="Install the Debian packages that a host lacks")
    boot_timeout: Duration = Field(120.0, gt=0, description="Until a container that has started takes a login")

    @model_validator(mode="after")
    def _has_servers(self) -> Self:
        if (self.count is None) == (not self.servers):
            raise ValueError("give either `count` or `servers`")
        twice = [name for name, times in Counter(self._names()).items() if times > 1 and "${{" not in name]
        if twice:
            raise ValueError(f"two servers are called {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _has_one_image(self) -> Self:
        if self.image and (self.packages or self.seed or {"release", "mirror"} & self.model_fields_set):
            raise ValueError(
                "an `image` is there already: `release`, `packages`, `seed` and `mirror` are for a new one"
            )
        return self

    @model_validator(mode="after")
    def _has_addresses(self) -> Self:
        for server in self.servers:
            if server.address is None:
                continue
            if server.count > 1:
                raise ValueError(f"the servers {server.name!r} can't all have the address {server.address}")
            if self.network is None or not _holds(self.network, server.address):
                raise ValueError(f"the address {server.address} of {server.name!r} needs a `network` that has it")
        asked = Counter(server.address for server in self.servers if server.address)
        twice = [address for address, times in asked.items() if times > 1]
        if twice:
            raise ValueError(f"two servers are to have the address {twice[0]}")
        return self

    @model_validator(mode="after")
    def _has_hosts(self) -> Self:
        names = [host.name for host in self.hosts]
        places = Counter((host.connection, host.host, host.port) for host in self.hosts)
        if len(set(names)) < len(names) or any(times > 1 for times in places.values()):
            raise ValueError("a host stands twice in `hosts`")
        for server in self.servers:
            if server.host and self.hosts and "${{" not in server.host and server.host not in names:
                raise ValueError(f"{server.name!r} is to be on {server.host!r}, which is none of the `hosts`")
        return self

    def wanted(self) -> Iterator[tuple[str, LxcServer]]:
        """Give each container's name and what is said about it."""
        for server in self.servers or (LxcServer(name="server", count=self.count or 1),):
            for name in server.names:
                yield (name if self.servers or self.count != 1 else "server1"), server

    def _names(self) -> list[str]:
        return [name for server in self.servers for name in server.names]


def _holds(network: IPv4Network, address: IPv4Address) -> bool:
    """Whether a network has an address that something can have."""
    return address in network and address not in {network.network_address, network.broadcast_address}
