"""The places that a connection leads through, and what to call them."""

from __future__ import annotations

from rallyflow.model.values import Hop, Server


def places(server: Server) -> tuple[Hop, ...]:
    """Return the jump hosts of a server, the nearest first, and then the server itself."""
    itself = Hop(
        host=server.host,
        port=server.port,
        user=server.user,
        key_file=server.key_file,
        password_file=server.password_file,
    )
    return (*server.jump, itself)


def entry_name(place: Hop) -> str:
    """Return what a place is called in known_hosts: `host`, or `[host]:port`."""
    return place.host if place.port == 22 else f"[{place.host}]:{place.port}"


def spoken(server: Server, place: Hop) -> str:
    """Return what to call a place of a server when talking to a person."""
    address = f"{place.host}:{place.port}"
    return f"server {server.name} ({address})" if place == places(server)[-1] else f"jump host {address}"
