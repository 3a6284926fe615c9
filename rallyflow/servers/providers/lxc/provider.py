"""`provision/lxc`: makes containers, takes over what a killed attempt has made, and starts again what has stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from rallyflow.errors import RallyflowError, StepError
from rallyflow.model.fitness import Check
from rallyflow.model.records import Resource
from rallyflow.model.states import StepState
from rallyflow.model.step import Outcome, Progress, StepContext
from rallyflow.model.values import Server, ServerFacts
from rallyflow.servers.facts import gather
from rallyflow.servers.fleet import joined, on_all
from rallyflow.servers.machine import Machine
from rallyflow.servers.provider import Provider, ProvisionOutputs
from rallyflow.servers.providers.lxc import keys
from rallyflow.servers.providers.lxc.hosts import Ready, at_once, prepare
from rallyflow.servers.providers.lxc.images import THIS_MACHINE, agent_of
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.making import Making
from rallyflow.servers.providers.lxc.remote import Agent
from rallyflow.servers.providers.lxc.resources import NETWORK, SERVER, LxcObjects, host_of
from rallyflow.servers.ready import wait_until_ready
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.servers.ssh.patience import Patience

_LOOKING = 0.05  # seconds between two attempts to log in to a container that boots
_BOOT = 120.0  # seconds that a container may take until it answers again
_BUILDS = "image: "  # what the lines of build.sh begin with
_PATIENCE = Patience(connect=5.0)


class Lxc(Provider[LxcInputs]):
    """Make containers on this machine or on servers, ready for ssh, in one L3 network."""

    Inputs = LxcInputs

    @classmethod
    def examine(cls, inputs: Mapping[str, Any]) -> Iterator[Check]:
        """Look at what this machine lacks to be the host; other hosts are known to the run only."""
        from rallyflow.servers.providers.lxc.needs import examined

        if "hosts" not in inputs:
            yield from examined(inputs)

    def run(self, inputs: LxcInputs, context: StepContext) -> Outcome[ProvisionOutputs]:
        """Make all of it. When a part fails, what was made is removed again, and the error names each part."""
        try:
            return self._made(inputs, context)
        except RallyflowError:
            _undo(context)
            raise

    def adopt(self, inputs: LxcInputs, context: StepContext) -> Outcome[ProvisionOutputs] | None:
        """Keep what is complete, and make what is missing; None when nobody can log in to what there is."""
        if keys.read_login_key(context.artifacts.absolute()) is None:
            return None
        return self._made(inputs, context)

    def revive(
        self, outputs: ProvisionOutputs, context: StepContext
    ) -> ProvisionOutputs | Outcome[ProvisionOutputs] | None:
        """Start again what has stopped, also after a reboot of a host; None when something is gone."""
        rows = [row for row in context.ledger.open() if row.kind in (NETWORK, SERVER)]
        files = {file for server in outputs.servers for file in (server.key_file, server.known_hosts) if file}
        if not rows or not all(file.exists() for file in files):
            return None
        try:
            started = _restored(rows, context)
            if started is None:
                return None
            facts = _facts(outputs.servers, context, _BOOT)
            reason = f"started again: {', '.join(started)}" if started else ""
            return Outcome(outputs.model_copy(update={"facts": facts}), reason=reason)
        except StoppedError:
            return outputs

    def _made(self, inputs: LxcInputs, context: StepContext) -> Outcome[ProvisionOutputs]:
        try:
            return self._make(inputs, context)
        except StoppedError:  # what there is stays in the ledger: a resumed run takes it over
            return Outcome(ProvisionOutputs(servers=()), StepState.INTERRUPTED, "stopped")

    def _make(self, inputs: LxcInputs, context: StepContext) -> Outcome[ProvisionOutputs]:
        servers = inputs.hosts or (THIS_MACHINE,)
        with _agents(servers, context) as agents:
            context.report(Progress(note="looking at the hosts, and for the image"))
            ready: list[Ready] = at_once(partial(prepare, inputs=inputs), agents)
            context.report(Progress(note="making the containers"))
            made = Making(inputs, context, ready).all()
        context.report(Progress(note="waiting for the containers"))
        return Outcome(ProvisionOutputs(servers=made, facts=_facts(made, context, inputs.boot_timeout)))


@contextmanager
def _agents(servers: Sequence[Server], context: StepContext) -> Iterator[list[Agent]]:
    with ExitStack() as stack:
        machines = [stack.enter_context(Machine(server, stopped=context.stop.is_set)) for server in servers]
        yield [agent_of(each, partial(_tell, context, each.server.name)) for each in machines]


def _tell(context: StepContext, host: str, line: str) -> None:
    """Log what is said on a host, and show which part of an image is being built."""
    context.log.info("%s: %s", host, line)
    if line.startswith(_BUILDS):
        context.report(Progress(note=f"{host}: building the {line}"))


def _facts(servers: Sequence[Server], context: StepContext, timeout: float) -> tuple[ServerFacts, ...]:
    """Wait until all containers have answered a command; raises one error that names those that do not."""

    def ask(machine: Machine) -> ServerFacts:
        wait_until_ready(machine, timeout=timeout, interval=_LOOKING, wait=context.stop.wait)
        return gather(machine)

    found = on_all(servers, ask, stopped=context.stop.is_set, patience=_PATIENCE)
    errors = [each.error for each in found if each.error]
    if errors:
        raise joined(errors)
    if context.stop.is_set():
        raise StoppedError
    for each in found:
        context.log.info("the container %s answers at %s", each.server.name, each.server.host)
    return tuple(each.value for each in found if each.value)


def _restored(rows: Sequence[Resource], context: StepContext) -> list[str] | None:
    """Make networks again that a reboot has taken, and start what does not run.

    Returns the servers that were started; None when something is not there any more.
    """
    by_host: dict[str, list[Resource]] = {}
    for row in rows:
        by_host.setdefault(host_of(row).model_dump_json(), []).append(row)
    hosts = [host_of(each[0]) for each in by_host.values()]
    with _agents(hosts, context) as agents:
        pairs = list(zip(agents, by_host.values(), strict=True))
        found = at_once(lambda pair: _restored_on(*pair), pairs)
    started: list[str] = []
    for each in found:
        if each is None:
            return None
        started += each
    return started


def _restored_on(agent: Agent, rows: Sequence[Resource]) -> list[str] | None:
    for row in rows:
        if row.kind == NETWORK and not agent.call("networks.restore", bridge=row.detail["bridge"]):
            return None
    own = {row.name: str(row.detail.get("server", row.name)) for row in rows if row.kind == SERVER}
    found = agent.call("containers.restore", timeout=300.0, names=list(own))
    for result in found.values():
        if "error" in result:
            raise agent.failure(result["error"])
    if any("missing" in result for result in found.values()):
        return None
    return [own[name] for name, result in found.items() if result.get("started")]


def _undo(context: StepContext) -> None:
    """Remove what was made, the newest first; what can't be removed now stays in the ledger, and the log says why."""
    for row in reversed(context.ledger.open()):
        try:
            LxcObjects().delete(row)
        except StepError as error:
            context.log.warning("%s could not be removed: %s", row.name, error.what)
        else:
            context.ledger.deleted(row.id)
