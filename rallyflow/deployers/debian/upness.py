"""Waits until a cloud that was deployed says of all its services that they are up: by its APIs, as a user would ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import CloudAnswered, CloudIncomplete, TransientError
from rallyflow.model.step import Progress, StepContext
from rallyflow.model.values import Cloud
from rallyflow.servers.ssh.command import StoppedError

_PATIENCE = 300.0  # seconds
_POLL = 0.5  # seconds

_Ask = Callable[[CloudSession, "Hosts"], list[str]]
"""Asks one service what is not up."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that have to be there."""

    controllers: Collection[str]
    hypervisors: Collection[str] = ()  # only those whose names are known before they say them


def wait_until_up(cloud: Cloud, hosts: Hosts, context: StepContext) -> None:
    """Wait for every API to answer and for every agent, compute and volume service to report itself up.

    Raises CloudIncomplete with what is not up, CloudRefused, or StoppedError.
    """
    context.report(Progress(note="register: waiting until all services are up"))
    until = time.monotonic() + _PATIENCE
    while True:
        missing = _missing(cloud, hosts)
        if not missing:
            return
        if context.stop.is_set():
            raise StoppedError
        if time.monotonic() > until:
            raise CloudIncomplete(
                f"after {_PATIENCE:.0f}s these are not up: {', '.join(missing)}",
                hint="their logs are on the servers, in /var/log/rallyflow",
            )
        time.sleep(_POLL)


def _missing(cloud: Cloud, hosts: Hosts) -> list[str]:
    try:
        session = sign_in(cloud)
        return [name for kind, ask in _ASKED.items() for name in _asked(session, kind, ask, hosts)]
    except (TransientError, CloudAnswered) as error:
        return [error.what]


def _asked(session: CloudSession, kind: str, ask: _Ask, hosts: Hosts) -> list[str]:
    try:
        return ask(session, hosts)
    except (TransientError, CloudAnswered) as error:
        return [f"{kind} ({error.what})"]


def _compute(session: CloudSession, hosts: Hosts) -> list[str]:
    found = session.service("compute").get("/os-services").json()["services"]
    absent = _absent(found, ("nova-conductor", "nova-scheduler"), hosts.controllers)
    if not any(each["binary"] == "nova-compute" for each in found):
        absent.append("nova-compute")
    down = [_name(each) for each in found if each["state"] != "up" and each["status"] == "enabled"]
    return absent + down + _hypervisors(session, hosts.hypervisors)


def _hypervisors(session: CloudSession, names: Collection[str]) -> list[str]:
    found = session.service("compute").get("/os-hypervisors").json()["hypervisors"] if names else []
    there = {each["hypervisor_hostname"] for each in found}
    return [f"hypervisor {name}" for name in names if name not in there]


def _network(session: CloudSession, _hosts: Hosts) -> list[str]:
    found = session.service("network").get("/agents").json()["agents"]
    return ([] if found else ["network agents"]) + [_name(each) for each in found if not each["alive"]]


def _volume(session: CloudSession, hosts: Hosts) -> list[str]:
    found = session.service("block-storage").get("/os-services").json()["services"]
    absent = _absent(found, ("cinder-scheduler",), hosts.controllers)
    if not any(each["binary"] == "cinder-volume" for each in found):
        absent.append("cinder-volume")
    return absent + [_name(each) for each in found if each["state"] != "up"]


def _absent(found: Sequence[Mapping[str, Any]], binaries: Sequence[str], hosts: Collection[str]) -> list[str]:
    """Return those services of which some host has none."""
    there = {(each["binary"], each["host"]) for each in found}
    return [f"{binary} on {host}" for host in hosts for binary in binaries if (binary, host) not in there]


def _lists(kind: str, path: str) -> _Ask:
    def ask(session: CloudSession, _hosts: Hosts) -> list[str]:
        session.service(kind).get(path)
        return []

    return ask


def _name(service: Mapping[str, Any]) -> str:
    return f"{service['binary']} on {service['host']}"


_ASKED: Mapping[str, _Ask] = {
    "compute": _compute,
    "network": _network,
    "block-storage": _volume,
    "image": _lists("image", "/images?limit=1"),
    "placement": _lists("placement", "/resource_providers"),
}
