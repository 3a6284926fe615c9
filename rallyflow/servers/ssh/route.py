"""The way to a server: from one place to the next, each of which is known by its host key before we log in."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rallyflow.model.values import Hop, Server
from rallyflow.servers.ssh.border import connecting, quiet
from rallyflow.servers.ssh.knownhosts import compare, known_keys
from rallyflow.servers.ssh.login import log_in
from rallyflow.servers.ssh.patience import Patience
from rallyflow.servers.ssh.places import spoken

if TYPE_CHECKING:
    from paramiko import Channel, PKey, Transport

    from rallyflow.servers.ssh.signals import HearingTransport

_FAMILIES = ("ssh-ed25519", "ecdsa-", "rsa-")
"""The kinds of host keys, as the names of their algorithms begin."""


def open_route(server: Server, route: Sequence[Hop], patience: Patience) -> list[Transport]:
    """Connect to and log in at one place after the other; a StepError names the place that can't be had."""
    opened: list[Transport] = []
    try:
        for place in route:
            whose = spoken(server, place)
            known = known_keys(server.known_hosts, place)
            with connecting(whose):
                transport = start(place, opened[-1] if opened else None, patience, known.keys)
                opened.append(transport)
                compare(known, transport.get_remote_server_key(), whose)
                log_in(transport, place, whose)
    except BaseException:
        close(opened)
        raise
    return opened


def shown_keys(server: Server, before: Sequence[Hop], place: Hop, patience: Patience) -> Iterator[PKey]:
    """Yield the host keys that a place shows, of each kind, without logging in there; nobody has checked them."""
    from paramiko.ssh_exception import IncompatiblePeer

    with _opened(server, before, patience) as through:
        for family in _FAMILIES:
            with connecting(spoken(server, place)), suppress(IncompatiblePeer):
                transport = start(place, through, patience, (), only=family)
                with _closing(transport):
                    yield transport.get_remote_server_key()


def start(
    place: Hop, through: Transport | None, patience: Patience, known: Collection[str], *, only: str = ""
) -> HearingTransport:
    """Exchange keys with a place, asking for a host key of a known kind first, or only for those of a family.

    Whether the place is what it should be has still to be checked.
    """
    from rallyflow.servers.ssh.signals import HearingTransport

    quiet()
    transport = HearingTransport(_way(place, through, patience))
    try:
        transport.banner_timeout = patience.connect
        transport.auth_timeout = patience.login
        options = transport.get_security_options()
        kinds = [kind for kind in options.key_types if kind.startswith(only)]
        options.key_types = sorted(kinds, key=lambda kind: _base(kind) not in known)
        transport.start_client(timeout=patience.connect)
    except BaseException:
        transport.close()
        raise
    return transport


def close(opened: Sequence[Transport]) -> None:
    """Close connections, the last first."""
    for transport in reversed(opened):
        with suppress(OSError, EOFError):
            transport.close()


@contextmanager
def _opened(server: Server, route: Sequence[Hop], patience: Patience) -> Iterator[Transport | None]:
    opened = open_route(server, route, patience)
    try:
        yield opened[-1] if opened else None
    finally:
        close(opened)


@contextmanager
def _closing(transport: Transport) -> Iterator[None]:
    try:
        yield
    finally:
        close([transport])


def _way(place: Hop, through: Transport | None, patience: Patience) -> socket.socket | Channel:
    if through is None:
        way = socket.create_connection((place.host, place.port), timeout=patience.connect)
        way.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # short messages go back and forth, and each would wait
        return way
    return through.open_channel("direct-tcpip", (place.host, place.port), ("127.0.0.1", 0), timeout=patience.connect)


def _base(algorithm: str) -> str:
    """Return the type of the key behind the name of an algorithm: an RSA key signs in several ways."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2") else algorithm
