"""`rallyflow snapshot RUN SERVER NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rallyflow.cli.options import completing, home_option, json_option, open_reader
from rallyflow.cli.output import print_json, say
from rallyflow.errors import Exit, UsageError
from rallyflow.hints import did_you_mean
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.model.records import Resource

_COPYING = 4 * 3600.0  # seconds


@click.command("snapshot", short_help="make an image of a container")
@click.argument("run", shell_complete=completing("runs"))
@click.argument("server")
@click.argument("name")
@click.option("--step", metavar="STEP", help="The step that made the server, when several have one of this name")
@click.option("--force", is_flag=True, help="Replace an image of this name")
@home_option
@json_option
def command(run: str, server: str, name: str, step: str | None, force: bool, home: str | None, as_json: bool) -> Exit:
    """Make the container SERVER of a run the image NAME, on the host that it is on.

    The container is stopped in order meanwhile, and started again. `provision/lxc` with `image: NAME` makes clones of
    it: what was installed, configured and stored there is in them; names, addresses and keys are their own.
    """
    from rallyflow.engine.cleanup import held
    from rallyflow.servers.machine import Machine
    from rallyflow.servers.providers.lxc.images import agent_of
    from rallyflow.servers.providers.lxc.resources import host_of

    place = Home.find(home)
    reader = open_reader(place)
    record = reader.find(run)
    row = _chosen(reader.resources(record.id), server, step)
    with held(place, record.id), Machine(host_of(row)) as machine:
        agent = agent_of(machine, say)
        about = agent.call(
            "golden.snapshot", timeout=_COPYING, container=row.name, images=agent.images, word=name, force=force
        )
    if as_json:
        print_json({"name": name, "host": machine.server.name, **about})
    else:
        say(f"{server} is the image {name} ({about['size'] >> 20} MiB) on {machine.server.name}")
        say(f"use it: provision/lxc with `image: {name}`")
    return Exit.OK


def _chosen(rows: list[Resource], server: str, step: str | None) -> Resource:
    """Return the row of a container; UsageError when there is none, or more than one."""
    from rallyflow.servers.providers.lxc.resources import SERVER

    containers = [row for row in rows if row.kind == SERVER and step in (None, row.step)]
    found = [row for row in containers if row.detail.get("server") == server]
    if not found:
        names = [str(row.detail.get("server")) for row in containers]
        raise UsageError(f"the run has no container {server!r}", hint=did_you_mean(server, names))
    if len(found) > 1:
        steps = ", ".join(row.step for row in found)
        raise UsageError(f"several steps have a container {server!r}: {steps}", hint="say which: --step STEP")
    return found[0]
