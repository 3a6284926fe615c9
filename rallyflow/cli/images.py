"""`rallyflow images`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from rallyflow.cli.options import json_option
from rallyflow.cli.output import print_json, print_table, say
from rallyflow.errors import Exit
from rallyflow.units import format_duration

_COLUMNS = ("image", "name", "release", "size", "age", "stands on", "containers", "layers on top")
_REMOVING = 1800.0  # seconds


@click.command("images", short_help="list or remove images of containers")
@click.option("--remove", "removed", multiple=True, metavar="IMAGE", help="Remove one, by name or digest; repeatable")
@click.option("--unused", is_flag=True, help="Remove all that no container uses and that have no name")
@click.option("--versions", metavar="IMAGE", help="Print the versions of the Debian packages in one")
@json_option
def command(removed: Sequence[str], unused: bool, versions: str | None, as_json: bool) -> Exit:
    """List the images that containers on this machine are cloned from: those that were built, and snapshots.

    They are in a cache that all homes share ($RALLYFLOW_CACHE/images), which only grows until something is removed
    here. What a container or another image stands on is not removed.
    """
    from rallyflow.servers.machine import Machine
    from rallyflow.servers.providers.lxc.images import THIS_MACHINE, agent_of

    with Machine(THIS_MACHINE) as machine:
        agent = agent_of(machine, say)
        if versions:
            found = agent.call("layers.packages", images=agent.images, word=versions)
            _print_versions(found, as_json=as_json)
            return Exit.OK
        for word in removed:
            gone = agent.call("layers.remove", timeout=_REMOVING, images=agent.images, word=word)
            say(f"removed {word}: {gone['size'] >> 20} MiB")
        if unused:
            for gone in agent.call("layers.prune", timeout=_REMOVING, images=agent.images):
                say(f"removed {gone['digest']}: {gone['size'] >> 20} MiB")
        if not (removed or unused):
            _print(agent.call("layers.listed", images=agent.images), as_json=as_json)
    return Exit.OK


def _print_versions(found: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(dict(found))
    else:
        print_table(("package", "version"), sorted(found.items()))


def _print(images: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(list(images))
        return
    print_table(_COLUMNS, [_row(each) for each in sorted(images, key=lambda each: each["made"])])


def _row(image: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        image["digest"],
        ", ".join(image["names"]) or "-",
        image["release"],
        f"{image['size'] >> 20} MiB",
        format_duration(max(0.0, time.time() - image["made"])),
        image["parent"] or "-",
        str(len(image["containers"])),
        str(len(image["on_top"])),
    )
