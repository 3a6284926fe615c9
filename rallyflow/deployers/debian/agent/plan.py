"""What one server has to be: plain values, which cross to the server as JSON on the agent's input.

A plan holds passwords: it is never logged, and never part of a command line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DATA = "/var/lib/rallyflow/data"
"""Where daemons keep their data: it goes when the deployment is removed."""
PHASES = ("install", "databases", "identity", "services", "register")
"""The phases of a deployment, as its progress names them."""


@dataclass(frozen=True)
class Folder:
    """A folder that has to be there."""

    path: str
    owner: str = "root"
    mode: int = 0o755


@dataclass(frozen=True)
class File:
    """A file that has to have this content. What was there before comes back when the deployment is removed."""

    path: str
    content: str
    group: str = "root"
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True)
class Ready:
    """A question that something asks when it is really ready; see `readiness` for the kinds."""

    kind: str  # http | mysql | memcached | amqp | queue | libvirt | tgt | ovsdb | openvswitch
    target: str  # the address to ask, as `http://…` or `host:port`; a socket for mysql, `unix:…` for ovsdb
    user: str = ""
    password: str = ""
    queue: str = ""


@dataclass(frozen=True)
class Unit:
    """One thing to do, after others (by name), in a phase."""

    name: str
    phase: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Daemon(Unit):
    """A program that has to run, with exactly this command line, environment and configuration."""

    command: tuple[str, ...] = ()
    user: str = "root"
    env: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()  # files of the plan: it is started again when one of them changes
    ready: Ready | None = None


@dataclass(frozen=True)
class Command(Unit):
    """A command that has to have succeeded once, for this `stamp`; an empty one means: each time."""

    command: tuple[str, ...] = ()
    user: str = "root"
    env: Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""


@dataclass(frozen=True)
class Wait(Unit):
    """Something, perhaps on another server, that has to be ready."""

    ready: Ready | None = None


@dataclass(frozen=True)
class Databases(Unit):
    """Databases, each with a user of its own (several may share one)."""

    owners: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # database to user and password


@dataclass(frozen=True)
class Schema(Unit):
    """The tables of a service: from a dump with this key when the server has one, otherwise made by commands."""

    databases: tuple[str, ...] = ()
    key: str = ""  # made of the versions of the packages that the tables belong to
    commands: tuple[tuple[str, ...], ...] = ()
    upgrade: tuple[tuple[str, ...], ...] = ()  # what to run instead, on tables that other versions have made
    user: str = "root"


@dataclass(frozen=True)
class Account:
    """A service in the catalogue, and the user that it acts as."""

    user: str
    password: str
    service: str = ""
    type: str = ""
    url: str = ""


@dataclass(frozen=True)
class Domain:
    """A domain of keystone, and its administrator."""

    name: str
    admin: str
    password: str


@dataclass(frozen=True)
class Identity(Unit):
    """What keystone has to know."""

    auth_url: str = ""
    password: str = ""  # of admin
    region: str = ""
    accounts: tuple[Account, ...] = ()
    roles: tuple[str, ...] = ()
    domains: tuple[Domain, ...] = ()


UNITS: Mapping[str, type[Unit]] = {kind.__name__: kind for kind in (Daemon, Command, Wait, Databases, Schema, Identity)}


@dataclass(frozen=True)
class Plan:
    """All of one server."""

    deployment: str
    timeout: float  # seconds, for each unit
    take_over: bool = False  # another deployment that is there becomes this one, with all that it holds
    packages: tuple[str, ...] = ()
    stop_units: tuple[str, ...] = ()  # services of the packages that must not run besides ours
    hosts: Mapping[str, str] = field(default_factory=dict)  # name to address
    folders: tuple[Folder, ...] = ()
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()
    undo: tuple[tuple[str, ...], ...] = ()  # what a removal runs once the daemons have ended; perhaps more than once


def dump(plan: Plan) -> str:
    """Return a plan as JSON."""
    content = asdict(plan)
    content["units"] = [{"unit": type(unit).__name__, **asdict(unit)} for unit in plan.units]
    return json.dumps(content, sort_keys=True)


def load(text: str) -> Plan:
    """Return the plan that JSON holds; raises ValueError, KeyError or TypeError when it holds none."""
    content = json.loads(text)
    content["folders"] = tuple(Folder(**each) for each in content["folders"])
    content["files"] = tuple(File(**each) for each in content["files"])
    content["units"] = tuple(_unit(each) for each in content["units"])
    content["undo"] = tuple(tuple(each) for each in content["undo"])
    return Plan(**_tuples(content))


def _unit(content: dict[str, Any]) -> Unit:
    kind = UNITS[content.pop("unit")]
    if content.get("ready"):
        content["ready"] = Ready(**content["ready"])
    if "accounts" in content:
        content["accounts"] = tuple(Account(**each) for each in content["accounts"])
        content["domains"] = tuple(Domain(**each) for each in content["domains"])
    for key in ("commands", "upgrade"):
        if key in content:
            content[key] = tuple(tuple(each) for each in content[key])
    return kind(**_tuples(content))


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}


def digest(daemon: Daemon, files: Mapping[str, str]) -> str:
    """Return what changes whenever a daemon has to be started again; `files` is path to content."""
    content = [daemon.command, daemon.user, sorted(daemon.env.items()), [(path, files[path]) for path in daemon.reads]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
