"""Removes deployments from servers, from the ledger's rows alone.

There is a row for each server, inside of the row of the server itself where a run has made that: then the deployment
goes with its server, and nobody tidies up a machine that is about to be removed.
"""

from __future__ import annotations

import json

from rallyflow.deployers.debian.remote import Agent
from rallyflow.errors import StepError
from rallyflow.model.records import Resource
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
