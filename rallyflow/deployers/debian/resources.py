"""Removes deployments from servers, and wakes them, from the ledger's rows alone.

There is a row for each server, inside of the row of the server itself where a run has made that: then the deployment
goes with its server, and nobody tidies up a machine that is about to be removed.
"""

from __future__ import annotations

import json

from rallyflow.deployers.debian.remote import Agent
from rallyflow.errors import StepError
from rallyflow.model.records import Resource
from rallyflow.model.step import Progress, StepContext
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine

KIND = "debian.cloud"
_TIMEOUT = 600.0


class DebianDeployments:
    """The handler of the kind `debian.cloud`: one deployment on one server."""

    def delete(self, resource: Resource) -> None:
        """Stop its daemons, remove its data, and put back the files that were there; gone already is fine."""
        server = resource.detail.get("server")
        if not server:
            raise StepError(f"the ledger does not say on which server {resource.name!r} is")
        text = json.dumps({"deployment": resource.detail["deployment"]})
        with Machine(Server.model_validate(server)) as machine:
            Agent(machine).do("remove", text, timeout=_TIMEOUT)


def started_again(resource: Resource, context: StepContext) -> bool:
    """Start what does not run any more of a deployment on one server; False when the server does not know it."""
    server = Server.model_validate(resource.detail["server"])
    text = json.dumps({"deployment": resource.detail["deployment"]})
    context.report(Progress(note=f"looking after {server.name}"))
    with Machine(server, stopped=context.stop.is_set) as machine:
        said = Agent(machine).do("start", text, timeout=_TIMEOUT * 4)
    if said["started"]:
        context.log.info("%s: started again: %s", server.name, ", ".join(said["started"]))
    return bool(said["found"])
