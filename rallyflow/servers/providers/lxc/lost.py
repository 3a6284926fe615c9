"""Finds on a host what carries the tag of a run, and removes it: no ledger is needed for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rallyflow.errors import RallyflowError
from rallyflow.model.ids import Tag, parse_tag
from rallyflow.servers.providers.lxc import names
from rallyflow.servers.providers.lxc.remote import Agent
from rallyflow.servers.providers.lxc.resources import NETWORK, SERVER

_REMOVING = 1800.0  # seconds


@dataclass(frozen=True, slots=True)
class Lost:
    """A container, or the network of a step, on one host."""

    kind: str  # of the ledger
    name: str  # of the container, or of the bridge
    tag: Tag
    running: bool = False
    directory: str = ""  # of the run, where that is known


def find(agent: Agent) -> list[Lost]:
    """Return what runs have made on a host, whosever they are, in the order in which it can go."""
    containers = agent.call("containers.listed")
    networks = agent.call("networks.listed")
    found = [
        Lost(SERVER, each["name"], tag, each["running"], each.get("directory", ""))
        for each in containers
        if (tag := parse_tag(each["name"]))
    ]
    return found + [
        Lost(NETWORK, each["bridge"], tag, directory=each.get("directory", ""))
        for each in networks
        if (tag := parse_tag(each["tag"]))
    ]


def remove(
    agent: Agent, lost: Sequence[Lost], removed: Callable[[Lost], None] = lambda _lost: None
) -> list[tuple[Lost, RallyflowError]]:
    """Remove what was found; returns what could not be, and why. `removed` is called after each that is gone."""
    stayed = []
    for each in lost:
        try:
            _remove(agent, each)
        except RallyflowError as error:
            stayed.append((each, error))
        else:
            removed(each)
    return stayed


def _remove(agent: Agent, lost: Lost) -> None:
    if lost.kind == NETWORK:
        agent.call("networks.delete", bridge=lost.name, vxlan=names.vxlan(str(lost.tag)))
        return
    found = agent.call("containers.delete", timeout=_REMOVING, names=[lost.name])
    if "error" in found[lost.name]:
        raise agent.failure(found[lost.name]["error"])
