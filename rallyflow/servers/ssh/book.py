"""The known_hosts of a step: what a provider knows of its servers' host keys, for all who connect to them later."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rallyflow.model.values import Hop, Server
from rallyflow.servers.private import write_private
from rallyflow.servers.ssh.hostkeys import is_fingerprint, mismatch, read_key
from rallyflow.servers.ssh.knownhosts import REVOKED, known_keys
from rallyflow.servers.ssh.patience import Patience
from rallyflow.servers.ssh.places import entry_name, places, spoken
from rallyflow.servers.ssh.route import shown_keys

if TYPE_CHECKING:
    from paramiko import PKey


class HostKeyBook:
    """Host keys by place, in a known_hosts file that is written anew with each change. Threads may share it."""

    def __init__(self, file: Path) -> None:
        """Begin with no keys."""
        self.file = file
        self._lines: dict[str, None] = {}
        self._prints: dict[str, list[list[str]]] = {}  # of each who says something about a place
        self._lock = threading.Lock()
        self._write(())

    def take(self, place: Hop, host_key: str, known_hosts: Path | None) -> None:
        """Take what somebody has written down about a place: keys or fingerprints, one a line, and a known_hosts.

        PermanentError when it can't be read.
        """
        lines = [line.strip() for line in host_key.splitlines() if line.strip()]
        prints = [line for line in lines if is_fingerprint(line)]
        if prints:
            self._prints.setdefault(entry_name(place), []).append(prints)
        for line in lines:
            if line not in prints:
                self.add(place, read_key(line))
        known = known_keys(known_hosts, place)
        for key in known.keys.values():
            self.add(place, key)
        for key in known.revoked:
            self._write([f"{REVOKED} {_line(place, key)}"])

    def add(self, place: Hop, key: PKey) -> None:
        """Record the key of a place."""
        self._write([_line(place, key)])

    def learn(self, server: Server, patience: Patience) -> None:
        """Find the keys of which only fingerprints are known, on the whole way to a server.

        HostKeyMismatch when a place shows no such key, or what connecting raises.
        """
        route = places(server)
        for number, place in enumerate(route):
            for prints in self._prints.get(entry_name(place), ()):
                if not any(key.fingerprint in prints for key in known_keys(self.file, place).keys.values()):
                    self.add(place, _found(server, route[:number], place, prints, patience))

    def _write(self, lines: Iterable[str]) -> None:
        with self._lock:
            self._lines.update(dict.fromkeys(lines))
            write_private(self.file, "".join(self._lines))


def _line(place: Hop, key: PKey) -> str:
    return f"{entry_name(place)} {key.get_name()} {key.get_base64()}\n"


def _found(server: Server, before: Sequence[Hop], place: Hop, prints: Sequence[str], patience: Patience) -> PKey:
    shown = []
    for key in shown_keys(server, before, place, patience):
        if key.fingerprint in prints:
            return key
        shown.append(key)
    raise mismatch(spoken(server, place), prints, shown)
