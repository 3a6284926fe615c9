"""Databases, their users, and the tables of the services: made by the services' own commands, or from a dump of that.

To make the tables takes a service up to a minute, and the result is the same for the same packages; so the first
time leaves a dump, which a later deployment of the same versions loads in a second.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

from . import places
from .daemons import identity_of
from .events import call
from .plan import Databases, Schema

SOCKET = "/run/mysqld/mysqld.sock"
_MYSQL = ("mysql", f"--socket={SOCKET}", "-N")


def make(unit: Databases, timeout: float) -> None:
    """Make what is missing, and set passwords and rights."""
    lines = []
    for database, (user, password) in unit.owners.items():
        lines += [
            f"create database if not exists `{database}`;",
            f"create user if not exists '{user}'@'%';",
            f"alter user '{user}'@'%' identified by '{password}';",
            f"grant all on `{database}`.* to '{user}'@'%';",
        ]
    call(_MYSQL, timeout=timeout, text="\n".join(lines))


def fill(unit: Schema, timeout: float, *, upgrade: bool) -> None:
    """Make the tables of a service, or bring those that older packages have made, with what is in them, to the new."""
    if upgrade:
        _run(unit, unit.upgrade or unit.commands, timeout)
        return
    dumps = [dump_of(unit.key, database) for database in unit.databases]
    if all(dump.exists() for dump in dumps):
        for database, dump in zip(unit.databases, dumps, strict=True):
            _load(database, dump, timeout)
        return
    for database in unit.databases:  # what an earlier try has left may be half of it
        call(_MYSQL, timeout=timeout, text=_anew(database))
    _run(unit, unit.commands, timeout)
    for database, dump in zip(unit.databases, dumps, strict=True):
        _save(database, dump, timeout)


def _run(unit: Schema, commands: Sequence[Sequence[str]], timeout: float) -> None:
    env = {"PATH": os.environ.get("PATH", ""), "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - nothing is written
    for command in commands:
        call(command, timeout=timeout, env=env, cwd="/", **identity_of(unit.user))


def _anew(database: str) -> str:
    return f"drop database `{database}`; create database `{database}`;\n"


def dump_of(key: str, database: str) -> Path:
    """Return the file of a dump."""
    return places.SCHEMAS / f"{database}-{key}.sql.gz"


def _load(database: str, dump: Path, timeout: float) -> None:
    head = f"{_anew(database)}use `{database}`;\n"
    speed = "set autocommit=0; set unique_checks=0; set foreign_key_checks=0;\n"
    call(_MYSQL, timeout=timeout, text=head + speed + gzip.decompress(dump.read_bytes()).decode() + "\ncommit;\n")


def _save(database: str, dump: Path, timeout: float) -> None:
    command = ("mysqldump", f"--socket={SOCKET}", "--single-transaction", "--skip-dump-date", database)
    text = call(command, timeout=timeout)
    dump.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = dump.with_suffix(".part")
    temporary.write_bytes(gzip.compress(text.encode(), 6))
    temporary.rename(dump)
