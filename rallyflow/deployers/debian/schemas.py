"""Dumps of fresh tables, kept on this machine by package versions, so that the next cloud gets them at once.

A dump is what the services' own commands have made of an empty database, before anything was put into it: it holds
no password and nothing of a deployment.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from rallyflow.deployers.debian.agent.plan import Schema
from rallyflow.deployers.debian.remote import needs_sudo
from rallyflow.errors import TransferFailed
from rallyflow.servers.machine import Machine
from rallyflow.servers.transfer import download, upload
from rallyflow.settings import cache

_THERE = "/var/lib/rallyflow/schemas"


def offer(machine: Machine, units: Sequence[Schema], there: Collection[str]) -> None:
    """Bring those dumps to a server that we have and it has not."""
    files = [folder() / name for name in _names(units) if name not in there]
    found = [file for file in files if _is_whole(file)]
    if not found:
        return
    sudo = needs_sudo(machine.server)
    machine.run(f"mkdir -p -m 711 /var/lib/rallyflow && mkdir -p -m 700 {_THERE}", sudo=sudo, timeout=60)
    for file in found:
        upload(machine, file, f"{_THERE}/{file.name}", mode=0o600, sudo=sudo)


def fetch(machine: Machine, units: Sequence[Schema]) -> None:
    """Keep the dumps that a server has and we have not. A cache that can't be written is none: nothing fails."""
    files = [folder() / name for name in _names(units)]
    missing = [file for file in files if not file.exists()]
    with suppress(OSError, TransferFailed):
        if missing:
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in missing:
            download(machine, f"{_THERE}/{file.name}", file, sudo=needs_sudo(machine.server))


def folder() -> Path:
    """Return where the dumps are on this machine."""
    return cache() / "schemas"


def _names(units: Sequence[Schema]) -> list[str]:
    return [f"{database}-{unit.key}.sql.gz" for unit in units for database in unit.databases]


def _is_whole(file: Path) -> bool:
    """Whether a dump can be read to its end, which has a checksum."""
    try:
        with gzip.open(file) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError):
        return False
    return True
