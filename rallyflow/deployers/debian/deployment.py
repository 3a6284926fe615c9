"""Builds or changes one cloud: all of its servers at a time, each brought to its plan by its agent."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from rallyflow.deployers.debian import plans
from rallyflow.deployers.debian.agent.plan import PHASES, Plan, Schema, dump
from rallyflow.deployers.debian.fitness import check_kernel, check_volume_group
from rallyflow.deployers.debian.inputs import DebianInputs
from rallyflow.deployers.debian.layout import Layout, Role, lay_out
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.deployers.debian.remote import Agent, Event
from rallyflow.deployers.debian.schemas import fetch, offer
from rallyflow.deployers.debian.services.neutron import has_agent
from rallyflow.deployers.debian.site import Site
from rallyflow.errors import PackagesMissing, StepError
from rallyflow.model.step import Progress, StepContext
from rallyflow.model.values import Server
from rallyflow.servers.fleet import joined, on_all
from rallyflow.servers.machine import Machine
from rallyflow.servers.packages import sets_with
from rallyflow.servers.ssh.command import StoppedError

_FACTS_TIMEOUT = 300.0

T = TypeVar("T")


@dataclass
class Phases:
    """How long each phase took over all servers, and how far they are."""

    context: StepContext
    total: int = 0
    done: int = 0
    begun: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, server: str, event: Event) -> None:
        """Take an event of an agent."""
        if event["event"] == "unit":
            self.note(server, str(event["phase"]), str(event["unit"]), str(event["state"]), event.get("seconds", 0.0))
        elif event["event"] == "files" and event["changed"]:
            self.context.log.info("%s: %d files changed", server, len(event["changed"]))
        elif event["event"] == "stopped":
            self.context.log.info(
                "%s: stopped %s after %.1fs%s",
                server,
                ", ".join(event["daemons"]),
                event["seconds"],
                f"; by force: {', '.join(event['forced'])}" if event["forced"] else "",
            )
        elif event["event"] == "applied":
            self.context.log.info("%s: started %s", server, ", ".join(event["started"]) or "nothing")

    def note(self, server: str, phase: str, unit: str, state: str, seconds: float) -> None:
        """Book that something has begun, is done or has failed."""
        now = time.monotonic()
        with self.lock:
            self.begun.setdefault(phase, now)
            if state == "done":
                self.ended[phase] = now
                self.done += 1
                self.context.log.info("%s: %s: %s after %.1fs", server, phase, unit, seconds)
            note = f"{phase}: {server}: {unit}"
            self.context.report(Progress(min(self.done, self.total), self.total, note))

    def seconds(self) -> dict[str, float]:
        """Return the phases in their order with their durations; they overlap."""
        return {name: round(self.ended[name] - self.begun[name], 2) for name in PHASES if name in self.ended}


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it."""

    site: Site
    phases: Mapping[str, float]
    restarted: Mapping[str, tuple[str, ...]]  # server to the daemons that were started
    packages: Mapping[str, Mapping[str, str]]  # server to package to version

    @property
    def versions(self) -> dict[str, str]:
        """The packages of the cloud with their versions; as the controller has them where servers differ."""
        merged: dict[str, str] = {}
        for server in (*self.site.layout.servers, self.site.layout.controller):
            merged.update(self.packages[server.name])
        return dict(sorted(merged.items()))

    @property
    def fingerprint(self) -> str:
        """Changes with the roles, the options and the versions."""
        servers = [(each.name, sorted(each.roles)) for each in self.site.layout.servers]
        content = [
            servers,
            self.site.config,
            self.site.driver,
            self.site.virt_type,
            self.site.volume_driver,
            self.site.network_driver,
            sorted(self.site.optional),
            sorted(self.versions.items()),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def deploy(inputs: DebianInputs, passwords: Passwords, context: StepContext) -> Deployed:
    """Bring all servers of a cloud to what the inputs say.

    Raises LayoutInvalid, ServiceFailed, ServerTaken, AgentFailed, or what ssh raises; StoppedError when it was stopped.
    """
    layout = lay_out(inputs.servers, inputs.roles, inputs.network)
    phases = Phases(context)
    work = _Work(inputs, passwords, layout, context, phases)
    phases.note("all servers", "install", "packages", "begun", 0.0)
    found = work.everywhere(work.prepare)
    packages = {name: facts.packages for name, facts in found.items()}
    phases.note("all servers", "install", "packages", "done", time.monotonic() - phases.begun["install"])
    kernels = {name: facts.kernel for name, facts in found.items()}
    site = site_of(inputs, passwords, layout, packages[layout.controller.name], kernels)
    made = {each.name: plans.plan_for(site, each, inputs.unit_timeout) for each in layout.servers}
    _say_datapaths(site, context)
    phases.total = phases.done + sum(len(plan.units) for plan in made.values())
    if len(made) > 1:  # nobody on one server shall take the answer of an old daemon on another
        work.everywhere(lambda machine: work.halt(machine, made[machine.server.name]))
    started = work.everywhere(lambda machine: work.apply(machine, made[machine.server.name]))
    return Deployed(site, phases.seconds(), started, _of_cloud(packages, made))


def all_have(servers: Sequence[Server], deployment: str, context: StepContext) -> bool:
    """Whether each of the servers has the deployment, running or not. Raises as `deploy`."""

    def found(machine: Machine) -> str:
        return str(Agent(machine).do("facts", timeout=_FACTS_TIMEOUT)["deployment"])

    results = on_all(servers, found, stopped=context.stop.is_set)
    errors = [each.error for each in results if each.error]
    if errors:
        raise joined(errors)
    if any(each.value is None for each in results):
        raise StoppedError
    return all(each.value == deployment for each in results)


def site_of(
    inputs: DebianInputs,
    passwords: Passwords,
    layout: Layout,
    versions: Mapping[str, str],
    kernels: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Site:
    """Return what all services have to know; `kernels` may come later, since no package depends on them."""
    return Site(
        layout=layout,
        passwords=passwords,
        region=inputs.region,
        config=dict(inputs.config.items()),
        take_over=inputs.take_over,
        driver=inputs.driver,
        virt_type=inputs.virt_type,
        volume_driver=inputs.volume_driver,
        volume_group=inputs.volume_group,
        network_driver=inputs.network_driver,
        optional=frozenset(name for name, wanted in inputs.services if wanted),
        versions=versions,
        kernels=kernels,
    )


def _say_datapaths(site: Site, context: StepContext) -> None:
    if site.network_driver == "openvswitch":
        for server in site.layout.servers:
            if has_agent(server):
                context.log.info("%s: the datapath of Open vSwitch is %s", server.name, site.datapath(server))


def _of_cloud(packages: Mapping[str, Mapping[str, str]], made: Mapping[str, Plan]) -> dict[str, dict[str, str]]:
    """Keep those packages that the cloud is made of: the named ones, and the Python libraries that they brought."""
    return {
        server: {name: version for name, version in those.items() if _matters(name, made[server].packages)}
        for server, those in packages.items()
    }


_FAMILIES = (
    "keystone",
    "heat",
    "swift",
    "glance",
    "nova",
    "neutron",
    "cinder",
    "placement",
    "oslo",
    "mariadb",
    "rabbitmq",
    "uwsgi",
    "erlang-base",
)


def _matters(name: str, wanted: Sequence[str]) -> bool:
    bare = name.removeprefix("python3-")
    return (
        name in wanted or bare.startswith(_FAMILIES) or bare in ("python3", "eventlet", "sqlalchemy", "amqp", "kombu")
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a server has before anything is done."""

    packages: Mapping[str, str]
    schemas: frozenset[str]
    kernel: frozenset[str]
    volume_groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done on one server, and how it is done on all of them."""

    inputs: DebianInputs
    passwords: Passwords
    layout: Layout
    context: StepContext
    phases: Phases
    failed: threading.Event = field(default_factory=threading.Event)

    def everywhere(self, do: Callable[[Machine], T]) -> dict[str, T]:
        """Do something on all servers at a time; the first that fails ends the others. Raises as `deploy`."""

        def work(machine: Machine) -> T:
            try:
                return do(machine)
            except StepError:
                self.failed.set()
                raise

        servers = [each.server for each in self.layout.servers]
        results = on_all(servers, work, stopped=lambda: self.failed.is_set() or self.context.stop.is_set())
        errors = [each.error for each in results if each.error]
        if errors:
            raise joined(errors)
        done = {each.server.name: each.value for each in results if each.value is not None}
        if len(done) < len(servers):
            raise StoppedError
        return done

    def prepare(self, machine: Machine) -> _Facts:
        """Install what is missing; returns what is there then."""
        server = next(each for each in self.layout.servers if each.name == machine.server.name)
        wanted = plans.packages_for(site_of(self.inputs, self.passwords, self.layout, {}), server)
        look_at = "lvm" if self.inputs.volume_driver == "lvm" and Role.STORAGE in server.roles else ""
        facts = self._facts(machine, look_at)
        check_kernel(self.inputs, server, facts.kernel)
        missing = [name for name in wanted if name not in facts.packages]
        if missing:
            self.context.log.info("%s: installing %d packages: %s", server.name, len(missing), " ".join(missing))
            self._install(machine, wanted, missing)
            facts = self._facts(machine, look_at)
        check_volume_group(self.inputs, server, facts.volume_groups)
        if server is self.layout.controller:
            offer(machine, self._schemas(facts.packages), facts.schemas)
        return facts

    def _install(self, machine: Machine, wanted: Sequence[str], missing: Sequence[str]) -> None:
        text = json.dumps({"packages": wanted, "timeout": self.inputs.unit_timeout * 4})
        try:
            self._agent(machine).do("install", text, timeout=self.inputs.unit_timeout * 5)
        except PackagesMissing as error:
            sets = ", ".join(f'"{name}"' for name in sets_with(missing))
            raise PackagesMissing(
                error.what,
                hint="where a server gets no packages, they have to be in its image: provision/lxc has "
                f"`packages: [{sets or ', '.join(missing)}]`, and `nat: true` for a way out",
            ) from error

    def halt(self, machine: Machine, plan: Plan) -> str:
        """Stop what differs from a plan on a server."""
        agent = self._agent(machine, tell=True)
        return str(agent.do("halt", dump(plan), timeout=self.inputs.unit_timeout)["event"])

    def apply(self, machine: Machine, plan: Plan) -> tuple[str, ...]:
        """Bring a server to its plan; returns the daemons that were started."""
        agent = self._agent(machine, tell=True)
        done = agent.do("apply", dump(plan), timeout=self.inputs.unit_timeout * 4)
        if machine.server.name == self.layout.controller.name:
            fetch(machine, [unit for unit in plan.units if isinstance(unit, Schema)])
        return tuple(done["started"])

    def _schemas(self, versions: Mapping[str, str]) -> list[Schema]:
        site = site_of(self.inputs, self.passwords, self.layout, versions)
        return [unit for unit in plans.parts_of(site, self.layout.controller).units if isinstance(unit, Schema)]

    def _facts(self, machine: Machine, look_at: str) -> _Facts:
        found: dict[str, str] = {}
        agent = Agent(
            machine, hear=lambda event: found.update(event["packages"]) if event["event"] == "packages" else None
        )
        said = agent.do("facts", look_at, timeout=_FACTS_TIMEOUT)
        return _Facts(found, *(frozenset(said[key]) for key in ("schemas", "kernel", "volume_groups")))

    def _agent(self, machine: Machine, *, tell: bool = False) -> Agent:
        name = machine.server.name
        hear = (lambda event: self.phases.hear(name, event)) if tell else None
        return Agent(machine, hidden=self.passwords.all(), hear=hear)
