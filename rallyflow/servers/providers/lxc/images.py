"""Sees to it that a host has an image: it is there, is copied from this machine, or is built there."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from rallyflow import settings
from rallyflow.errors import ContainerFailed, HostUnfit, ImageNotBuilt, ImageUnknown, SudoRefused, TransientError
from rallyflow.hints import did_you_mean
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine, Order
from rallyflow.servers.providers.lxc.agent.building import TAR
from rallyflow.servers.providers.lxc.recipes import Recipe
from rallyflow.servers.providers.lxc.remote import Agent
from rallyflow.servers.ssh.output import Lines

REMOTE = "/var/cache/rallyflow/images"
_BUILDING = 3600.0 * 3
_COPYING = 3600.0
THIS_MACHINE = Server(name="this machine", host="127.0.0.1", connection="local", user="")

Chain = Sequence[Mapping[str, Any]]
"""The layers of an image as the agent describes them, the uppermost first."""


def folder_on(server: Server) -> str:
    """Return where a host keeps its images; on this machine in the user's cache, which stays the user's."""
    if server.connection != "local":
        return REMOTE
    with suppress(OSError):  # what can't be made here can't be used either, and that says why
        settings.cache().mkdir(parents=True, exist_ok=True)
    return str(settings.cache() / "images")


def agent_of(machine: Machine, log: Callable[[str], None] = lambda _line: None) -> Agent:
    """Return the agent on a host."""
    return Agent(machine, folder_on(machine.server), log)


def unknown(image: str, names: Sequence[str], whose: str) -> ImageUnknown:
    """Return the error for a name that no image has."""
    return ImageUnknown(
        f"{whose}: there is no image {image!r}",
        hint=did_you_mean(image, names, "there are: {}") or "`rallyflow snapshot RUN SERVER NAME` makes one",
    )


def provide(agent: Agent, recipes: Sequence[Recipe]) -> Chain:
    """Bring the image of some recipes to a host that lacks it, and return its layers.

    What this machine has is copied; the rest is built there. Raises ImageNotBuilt.
    """
    for recipe in recipes:
        there = agent.call("layers.find", images=agent.images, digest=recipe.digest)
        if there is None and not (not agent.is_local and copy(agent, recipe.digest)):
            _build(agent, recipe)
    return _found(agent, recipes[-1].digest)


def is_here(digest: str) -> bool:
    """Whether this machine has an image, which can then be copied to others; not where it can't have any."""
    with Machine(THIS_MACHINE) as machine:
        return bool(_chain_here(agent_of(machine), digest))


def copy(agent: Agent, image: str) -> bool:
    """Copy an image, by name or digest, from this machine to a host, unless it is not here; returns whether it is."""
    with Machine(THIS_MACHINE, stopped=agent.machine.stopped) as machine:
        here = agent_of(machine)
        chain = _chain_here(here, image)
        for about in reversed(chain):
            if agent.call("layers.find", images=agent.images, digest=about["digest"]) is None:
                _copy_layer(here, agent, about)
        if chain and image != chain[0]["digest"]:
            agent.call("layers.name", images=agent.images, word=image, digest=chain[0]["digest"])
        return bool(chain)


def _chain_here(here: Agent, image: str) -> Chain:
    """Return the layers of an image of this machine, by name or digest; none where we may not have containers."""
    try:
        digest = here.call("layers.named", images=here.images).get(image, image)
        return here.call("layers.find", images=here.images, digest=digest) or []
    except (SudoRefused, HostUnfit):
        return []


def _build(agent: Agent, recipe: Recipe) -> None:
    arguments = {name: getattr(recipe, name) for name in ("parent", "release", "packages", "seed", "init", "mirror")}
    try:
        agent.call("building.build", timeout=_BUILDING, images=agent.images, digest=recipe.digest, recipe=arguments)
    except TransientError as error:
        if type(error) is not TransientError:  # the host itself, which has an error of its own
            raise
        raise ImageNotBuilt(error.what, hint=error.hint) from error


def _found(agent: Agent, digest: str) -> Chain:
    chain: Chain | None = agent.call("layers.find", images=agent.images, digest=digest)
    if not chain:
        raise ContainerFailed(f"{agent.machine.whose}: the image {digest} is gone as soon as it was made")
    return chain


def _copy_layer(here: Agent, there: Agent, about: Mapping[str, Any]) -> None:
    folder = f"{here.images}/{about['digest']}"
    with tempfile.TemporaryFile(dir=str(settings.cache()), prefix="layer-") as file:
        _pack(here.machine, folder, file)
        size = file.tell()
        file.seek(0)
        there.log(f"copying the image {about['digest']} there: {size >> 20} MiB")
        there.call(
            "building.unpack",
            timeout=_COPYING,
            stream=file,
            size=size,
            images=there.images,
            digest=about["digest"],
            about=dict(about),
        )


def _pack(machine: Machine, folder: str, file: BinaryIO) -> None:
    command = ["tar", "-C", folder, *TAR, "-cf", "-", "rootfs", "versions"]
    said = Lines()
    order = Order(" ".join(map(shlex.quote, command)), sudo=True, timeout=_COPYING)
    code = machine.stream(order, (lambda data: _write(file, data), said))
    said.close()
    if code:
        raise ContainerFailed(f"the image in {folder} can't be read: {said.text[-300:]}")


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
