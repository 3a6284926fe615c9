"""Who is where: containers are dealt to hosts, and addresses of one network to hosts and containers. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from rallyflow.errors import InputsInvalid, NetworkTaken
from rallyflow.servers.providers.lxc.inputs import LxcInputs

POOL = IPv4Network("10.213.0.0/16")
"""Where networks are chosen from: private addresses that hardly anybody else uses."""
_PREFIXES = (24, 23, 22)


@dataclass(frozen=True, slots=True)
class Place:
    """A container that is to be made: which host it is on (an index) and its address."""

    name: str
    role: str
    host: int
    address: IPv4Address
    cpus: float  # processors' worth of time; 0 is all
    memory: int  # bytes; 0 is all


@dataclass(frozen=True, slots=True)
class Layout:
    """A network, the address of each host's bridge in it, and the containers in the order of the file."""

    network: IPv4Network
    gateways: tuple[IPv4Address, ...]
    places: tuple[Place, ...]


def choose(taken: Iterable[IPv4Network], addresses: int, pool: IPv4Network = POOL) -> Iterator[IPv4Network]:
    """Give the networks of the pool that are free and have so many addresses, the first one first."""
    known = [network for network in taken if network.overlaps(pool)]
    prefix = next((prefix for prefix in _PREFIXES if (1 << (32 - prefix)) - 2 >= addresses), min(_PREFIXES))
    for candidate in pool.subnets(new_prefix=prefix):
        if not any(candidate.overlaps(network) for network in known):
            yield candidate


def lay_out(inputs: LxcInputs, network: IPv4Network, hosts: Sequence[str]) -> Layout:
    """Deal containers and addresses. The hosts' bridges get the first ones that nobody has asked for.

    Raises InputsInvalid when a host is unknown or the network is too small.
    """
    wanted = list(inputs.wanted())
    asked = {server.address for _, server in wanted if server.address}
    free = (address for address in network.hosts() if address not in asked)
    try:
        gateways = tuple(next(free) for _ in hosts)
        places = tuple(
            Place(
                name,
                server.role,
                _index(server.host, hosts) if server.host else number % len(hosts),
                server.address or next(free),
                server.cpus or inputs.cpus or 0.0,
                server.memory or inputs.memory or 0,
            )
            for number, (name, server) in enumerate(wanted)
        )
    except (StopIteration, RuntimeError) as error:  # a generator turns the first into the second
        count = len(wanted) + len(hosts)
        raise InputsInvalid(f"the network {network} is too small: {count} addresses are needed") from error
    return Layout(network, gateways, places)


def free_networks(inputs: LxcInputs, taken: Iterable[str], hosts: int) -> Iterator[IPv4Network]:
    """Give the networks to try, one after another; NetworkTaken when there are no more."""
    if inputs.network is not None:
        yield inputs.network
    else:
        yield from choose([IPv4Network(each) for each in taken], len(list(inputs.wanted())) + hosts)
    raise NetworkTaken(
        f"no network of {inputs.network or POOL} is free", hint="give a `network:`; `ip route` shows what is taken"
    )


def hosts_file(layout: Layout) -> str:
    """Return /etc/hosts of the containers, by which they know each other."""
    lines = [f"{place.address} {place.name}" for place in layout.places]
    return "\n".join(["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", *lines]) + "\n"


def _index(name: str, hosts: Sequence[str]) -> int:
    if name not in hosts:
        raise InputsInvalid(f"there is no host {name!r}", hint=f"the hosts are: {', '.join(hosts)}")
    return hosts.index(name)
