"""The hosts of a step: what they lack, which image they have, and how they reach each other."""

from __future__ import annotations

import platform
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, TypeVar

from rallyflow.errors import ContainerFailed, HostUnfit, InputsInvalid, StepError
from rallyflow.model.values import Hop, Server
from rallyflow.servers.fleet import joined
from rallyflow.servers.providers.lxc.images import Chain, copy, is_here, provide, unknown
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.recipes import recipes
from rallyflow.servers.providers.lxc.remote import Agent

_INSTALLING = 1900.0  # seconds
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ready:
    """A host on which containers can be made now."""

    agent: Agent
    chain: Chain
    taken: tuple[str, ...]

    @property
    def server(self) -> Server:
        """The host."""
        return self.agent.machine.server


def at_once(work: Callable[[T], Any], items: Sequence[T]) -> list[Any]:
    """Do some work for all items at a time, and return the results; raises one error that has those of all."""
    errors: list[StepError] = []

    def each(item: T) -> Any:
        try:
            return work(item)
        except StepError as error:
            errors.append(error)
            return None

    with ThreadPoolExecutor(max(1, len(items))) as pool:
        found = list(pool.map(each, items))
    if errors:
        raise joined(errors)
    return found


def survey(agent: Agent, inputs: LxcInputs) -> dict[str, Any]:
    """Ask a host for everything that has to be known before something is made on it: `survey.look` says what."""
    found = _look(agent, inputs, platform.machine())
    if found["architecture"] == platform.machine():
        return found
    return _look(agent, inputs, found["architecture"])  # whose image has another digest


def prepare(agent: Agent, inputs: LxcInputs) -> Ready:
    """Look at a host, and bring it what it lacks; HostUnfit says all that is missing."""
    found = survey(agent, inputs)
    packages = sorted({each["package"] for each in found["problems"] if "package" in each})
    if packages and inputs.install:
        agent.call("needs.install", timeout=_INSTALLING, packages=packages)
        found = survey(agent, inputs)
    if found["problems"]:
        raise unfit(agent.machine.whose, found["problems"])
    return Ready(agent, found["chain"] or _image(agent, inputs, found), tuple(found["taken"]))


def unfit(whose: str, problems: Sequence[Mapping[str, str]]) -> HostUnfit:
    """Return the one error that names all that a host lacks, with the line to type where packages help."""
    packages = sorted({each["package"] for each in problems if "package" in each})
    hints = [each["hint"] for each in problems if each["hint"] and "package" not in each]
    if packages:
        hints.insert(0, f"apt-get install --no-install-recommends {' '.join(packages)} (or `install: true`)")
    return HostUnfit(f"{whose}: {'; '.join(each['what'] for each in problems)}", hint="; ".join(hints))


def addresses(hosts: Sequence[Ready], underlay: str) -> tuple[str, ...]:
    """Return the address by which each host is known to the others; they are joined by vxlan between these."""
    if len(hosts) == 1:
        return ("",)
    known = [_address(host.server, underlay) for host in hosts]
    others = [next((each for each in known if each and each != own), "") for own in known]
    return tuple(
        own or str(host.agent.call("networks.source_towards", address=other))
        for host, own, other in zip(hosts, known, others, strict=True)
    )


def reached_through(host: Server) -> tuple[Hop, ...]:
    """Return the jump hosts that lead to what is on a host."""
    if host.connection == "local":
        return ()
    itself = Hop(
        host=host.host, port=host.port, user=host.user, key_file=host.key_file, password_file=host.password_file
    )
    return (*host.jump, itself)


def _look(agent: Agent, inputs: LxcInputs, architecture: str) -> dict[str, Any]:
    digest = recipes(inputs, architecture)[-1].digest
    wanted = {**_wanted(inputs), "build": not inputs.image and (agent.is_local or not is_here(digest))}
    found: dict[str, Any] = agent.call(
        "survey.look", images=agent.images, image=inputs.image, digest=digest, wanted=wanted
    )
    return found


def _wanted(inputs: LxcInputs) -> dict[str, Any]:
    hosts = len(inputs.hosts) or 1
    parts = (inputs, *inputs.servers)
    memory = sum(server.memory or inputs.memory or 0 for _, server in inputs.wanted())
    return {
        "nat": inputs.nat or inputs.forward_ssh,
        "vxlan": hosts > 1,
        "memory": memory // hosts,
        "limits": [name for name in ("memory", "cpus") if any(getattr(part, name) for part in parts)],
    }


def _image(agent: Agent, inputs: LxcInputs, found: Mapping[str, Any]) -> Chain:
    if not inputs.image:
        return provide(agent, recipes(inputs, found["architecture"]))
    if agent.is_local or not copy(agent, inputs.image):
        raise unknown(inputs.image, found["named"], agent.machine.whose)
    named = agent.call("layers.named", images=agent.images)
    chain: Chain | None = agent.call("layers.find", images=agent.images, digest=named[inputs.image])
    if not chain:
        raise ContainerFailed(f"{agent.machine.whose}: the image {inputs.image!r} has lost a layer")
    return chain


def _address(server: Server, underlay: str) -> str:
    if underlay:
        if underlay not in server.networks:
            raise InputsInvalid(f"the host {server.name!r} has no network {underlay!r}", hint="look at `underlay`")
        return server.networks[underlay]
    if server.connection == "local":
        return ""
    try:
        return str(IPv4Address(server.host))
    except ValueError:
        try:
            return socket.gethostbyname(server.host)
        except OSError as error:
            raise InputsInvalid(f"the host {server.name!r} has no IPv4 address: {error}") from error
