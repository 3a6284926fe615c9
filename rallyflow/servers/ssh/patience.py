"""How long to wait for a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits in seconds."""

    connect: float = 15.0  # for a connection, a banner, the exchange of keys, a channel; each
    login: float = 30.0  # for the answer to a login, which may ask a directory service
    begin: float = 60.0  # for a command to begin, once it was sent
    beat: float = 15.0  # between two questions whether the server is still there
    silence: float = 60.0  # without an answer to them
    grace: float = 10.0  # for a command that is being ended
