"""`provision/existing`: servers that are there already, reached by ssh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import ClassVar, Self

from pydantic import Field, model_validator

from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, StepContext
from rallyflow.model.values import ServerFacts, Servers
from rallyflow.servers.facts import gather
from rallyflow.servers.fleet import AT_ONCE, Each, joined, on_all
from rallyflow.servers.given import Desk, GivenServer, Login, Place
from rallyflow.servers.machine import Machine
from rallyflow.servers.provider import Provider, ProvisionOutputs
from rallyflow.servers.ssh.places import places


class ExistingInputs(Login):
    """The file's `with:`; what stands beside `servers` is for all servers that say nothing else."""

    servers: tuple[GivenServer, ...] = Field(min_length=1, description="The servers")
    jump: tuple[Place, ...] = Field((), description="The jump hosts, the one nearest to us first")
    at_once: int = Field(AT_ONCE, ge=1, description="How many servers are asked at a time")

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        names = Counter(server.name or server.host for server in self.servers)
        twice = [name for name, count in names.items() if count > 1 and "${{" not in name]
        if twice:
            raise ValueError(f"two servers are called {twice[0]!r}; give them a `name:`")
        return self


class Existing(Provider[ExistingInputs]):
    """Check servers that are there already, and gather facts about them; makes nothing, removes nothing.

    Each has to be known by its host key, and to answer a real command.
    """

    Inputs = ExistingInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: ExistingInputs, context: StepContext) -> Outcome[ProvisionOutputs]:
        """Ask all servers, and say of all that do not answer why."""
        desk = Desk(context.artifacts.absolute(), context.secrets)
        servers = tuple(
            desk.server(given, inputs, inputs.jump, number) for number, given in enumerate(inputs.servers, 1)
        )

        def ask(machine: Machine) -> ServerFacts:
            desk.book.learn(machine.server, machine.patience)
            return gather(machine)

        return _asked(servers, ask, inputs.at_once, context)

    def revive(self, outputs: ProvisionOutputs, context: StepContext) -> ProvisionOutputs | None:
        """Ask the servers again; None when a file that their login needs is gone. Raises as `run`."""
        files = [
            file
            for server in outputs.servers
            for place in places(server)
            for file in (place.key_file, place.password_file, server.known_hosts)
        ]
        if any(file is not None and not file.exists() for file in files):
            return None
        outcome = _asked(outputs.servers, gather, AT_ONCE, context)
        return outcome.outputs if outcome.state is StepState.SUCCEEDED else outputs


def _asked(
    servers: Servers, ask: Callable[[Machine], ServerFacts], at_once: int, context: StepContext
) -> Outcome[ProvisionOutputs]:
    found = on_all(servers, ask, stopped=context.stop.is_set, at_once=at_once)
    for each in found:
        _tell(each, context)
    errors = [each.error for each in found if each.error]
    if errors:
        raise joined(errors)
    facts = tuple(each.value for each in found if each.value)
    outputs = ProvisionOutputs(servers=servers, facts=facts)
    if len(facts) < len(servers):
        return Outcome(outputs, StepState.INTERRUPTED, "stopped")
    return Outcome(outputs)


def _tell(each: Each[ServerFacts], context: StepContext) -> None:
    facts = each.value
    if each.error:
        context.log.error("%s", each.error.what)
    elif facts:
        context.log.info(
            "the server %s answers: %s, %s, kernel %s, %d cores, %.1f GiB, python3 %s, %s",
            facts.server,
            facts.hostname,
            facts.os,
            facts.kernel,
            facts.cores,
            facts.memory / 2**30,
            facts.python3 or "missing",
            "root or sudo" if facts.sudo else "no sudo",
        )
