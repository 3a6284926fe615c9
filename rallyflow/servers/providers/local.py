"""The provider of the machine that rallyflow runs on: no ssh, no root, nothing to remove."""

from __future__ import annotations

import socket
from typing import ClassVar

from pydantic import Field

from rallyflow.model.step import OnResume, Outcome, StepContext, StepModel
from rallyflow.model.values import Server
from rallyflow.servers.provider import Provider, ProvisionOutputs


class LocalInputs(StepModel):
    """The inputs of `uses: provision/local`."""

    name: str = Field("", description="The server's name; default: this machine's host name")
    role: str = Field("", description="A role that later steps can select by")


class Local(Provider[LocalInputs]):
    """Give this machine as the one server."""

    Inputs = LocalInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: LocalInputs, context: StepContext) -> Outcome[ProvisionOutputs]:
        name = inputs.name or socket.gethostname()
        context.log.info("this machine is the server %s", name)
        server = Server(name=name, host="127.0.0.1", connection="local", user="", role=inputs.role)
        return Outcome(ProvisionOutputs(servers=(server,)))
