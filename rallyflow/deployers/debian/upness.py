"""Waits until a cloud that was deployed says of all its services that they are up: by its APIs, as a user would ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import CloudAnswered, CloudIncomplete, TransientError
from rallyflow.model.step import Progress, StepContext
from rallyflow.model.values import Cloud
from rallyflow.servers.ssh.command import StoppedError

_PATIENCE = 300.0  # seconds
_POLL = 0.5  # seconds


def wait_until_up(cloud: Cloud, context: StepContext, *, computes: Collection[str] = ()) -> None:
    """Wait for every API to answer and for every agent, compute and volume service to report itself up.

    `computes` are hosts that have to be among them. Raises CloudIncomplete with what is not up, CloudRefused, or
    StoppedError.
    """
    context.report(Progress(note="register: waiting until all services are up"))
    until = time.monotonic() + _PATIENCE
    while True:
        missing = _missing(cloud, computes)
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


def _missing(cloud: Cloud, computes: Collection[str]) -> list[str]:
    try:
        session = sign_in(cloud)
        found = [name for kind, ask in _ASKED.items() for name in _asked(session, kind, ask)]
        return found + _asked(session, "compute", lambda session: _absent(session, computes))
    except (TransientError, CloudAnswered) as error:
        return [error.what]


def _asked(session: CloudSession, kind: str, ask: Callable[[CloudSession], list[str]]) -> list[str]:
    try:
        return ask(session)
    except (TransientError, CloudAnswered) as error:
        return [f"{kind} ({error.what})"]


def _compute(session: CloudSession) -> list[str]:
    found = session.service("compute").get("/os-services").json()["services"]
    there = {each["binary"] for each in found}
    absent = [name for name in ("nova-conductor", "nova-scheduler", "nova-compute") if name not in there]
    return absent + [_name(each) for each in found if each["state"] != "up" and each["status"] == "enabled"]


def _absent(session: CloudSession, computes: Collection[str]) -> list[str]:
    found = session.service("compute").get("/os-hypervisors").json()["hypervisors"] if computes else []
    there = {each["hypervisor_hostname"] for each in found}
    return [f"hypervisor {name}" for name in computes if name not in there]


def _network(session: CloudSession) -> list[str]:
    found = session.service("network").get("/agents").json()["agents"]
    return ([] if found else ["network agents"]) + [_name(each) for each in found if not each["alive"]]


def _volume(session: CloudSession) -> list[str]:
    found = session.service("block-storage").get("/os-services").json()["services"]
    there = {each["binary"] for each in found}
    absent = [name for name in ("cinder-scheduler", "cinder-volume") if name not in there]
    return absent + [_name(each) for each in found if each["state"] != "up"]


def _lists(kind: str, path: str) -> Callable[[CloudSession], list[str]]:
    def ask(session: CloudSession) -> list[str]:
        session.service(kind).get(path)
        return []

    return ask


def _name(service: Mapping[str, Any]) -> str:
    return f"{service['binary']} on {service['host']}"


_ASKED: Mapping[str, Callable[[CloudSession], list[str]]] = {
    "compute": _compute,
    "network": _network,
    "block-storage": _volume,
    "image": _lists("image", "/images?limit=1"),
    "placement": _lists("placement", "/resource_providers"),
}
