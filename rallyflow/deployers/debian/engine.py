"""`deploy/debian`: OpenStack from Debian's packages on servers that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field

from rallyflow.clouds.base import check_base, make_base
from rallyflow.deployers.credentials import write_clouds_yaml
from rallyflow.deployers.debian.deployment import Deployed, all_have, deploy
from rallyflow.deployers.debian.ini import merge
from rallyflow.deployers.debian.inputs import DebianInputs, deployment_folder
from rallyflow.deployers.debian.layout import Role
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.deployers.debian.resources import KIND
from rallyflow.deployers.debian.upness import Hosts, wait_until_up
from rallyflow.deployers.deployer import Deployer, DeployOutputs
from rallyflow.errors import NotFound
from rallyflow.model.states import StepState
from rallyflow.model.step import NoOutputs, Outcome, Progress, StepContext
from rallyflow.model.values import Cloud
from rallyflow.servers.private import write_private
from rallyflow.servers.ssh.command import StoppedError

NAME = "debian"
_NAMED = 6  # daemons that a revival names


class DebianOutputs(DeployOutputs):
    """What later steps refer to as `steps.NAME.…`."""

    phases: dict[str, float] = Field(description="Phase to seconds; they overlap")
    started: dict[str, tuple[str, ...]] = Field(description="Server to the daemons that were started on it")


class Debian(Deployer[DebianInputs]):
    """Builds a cloud, or changes the options of one."""

    Inputs = DebianInputs
    Outputs: ClassVar[type[BaseModel]] = DebianOutputs

    def run(self, inputs: DebianInputs, context: StepContext) -> Outcome[DeployOutputs]:
        """Bring every server to its plan, and return the cloud once all of its services say that they are up."""
        try:
            if inputs.cloud is not None:
                return _change(inputs, inputs.cloud, context)
            return _build(inputs, context)
        except StoppedError:
            return _stopped()

    def adopt(self, inputs: DebianInputs, context: StepContext) -> Outcome[DeployOutputs] | None:
        """Go on where a killed attempt was: what is done already is seen to be so."""
        if inputs.cloud is None and not any(row.kind == KIND for row in context.ledger.open()):
            return None
        return self.run(inputs, context)

    def revive(self, outputs: DeployOutputs, context: StepContext) -> DeployOutputs | Outcome[DeployOutputs] | None:
        """Bring the cloud back to what this step had made of it; None when a server is new, or its files are gone.

        Later steps may have changed its options, and its servers may have been restarted.
        """
        try:
            wanted = _kept(context.artifacts)
            passwords = Passwords.load(deployment_folder(outputs.cloud) / "passwords.json")
        except (NotFound, FileNotFoundError):
            return None
        context.report(Progress(note="looking after the servers"))
        try:
            if not all_have(wanted.servers, passwords.deployment, context):
                return None
            outcome = _deploy_again(wanted, passwords, outputs.cloud, context)
        except StoppedError:
            return None
        return replace(outcome, reason=_woken(outcome.outputs))


def _woken(outputs: DeployOutputs) -> str:
    """Say which daemons a revival has started, on whichever servers; empty when all of them ran."""
    started = outputs.started if isinstance(outputs, DebianOutputs) else {}
    names = dict.fromkeys(daemon for daemons in started.values() for daemon in daemons)
    if not names:
        return ""
    shown = ", ".join([*names][:_NAMED]) + (f" and {len(names) - _NAMED} others" if len(names) > _NAMED else "")
    return f"started again: {shown}"


def _build(inputs: DebianInputs, context: StepContext) -> Outcome[DeployOutputs]:
    check_base(inputs.base)
    passwords = _passwords(context)
    _keep(inputs, context)
    rows = _book(inputs, passwords, context)
    done = deploy(inputs, passwords, context)
    for server, row in rows.items():
        context.ledger.created(row, server)
    cloud = _cloud(done, context.artifacts.absolute(), rows[done.site.layout.controller.name])
    _write_clouds_yaml(cloud, done)
    wait_until_up(cloud, _hosts(done), context)
    context.report(Progress(note="making the image, the flavors and the network"))
    make_base(cloud, inputs.base, context)
    return _outcome(cloud, done, context)


def _change(inputs: DebianInputs, cloud: Cloud, context: StepContext) -> Outcome[DeployOutputs]:
    """Set the options of a cloud that is there. The cloud stays a thing of the step that has built it."""
    built = _kept(deployment_folder(cloud))
    passwords = Passwords.load(deployment_folder(cloud) / "passwords.json")
    names = dict.fromkeys([*built.config, *inputs.config])
    config = {name: merge(built.config.get(name, {}), inputs.config.get(name, {})) for name in names}
    wanted = built.model_copy(update={"config": config, "unit_timeout": inputs.unit_timeout})
    _keep(wanted, context)
    return _deploy_again(wanted, passwords, cloud, context)


def _deploy_again(
    wanted: DebianInputs, passwords: Passwords, cloud: Cloud, context: StepContext
) -> Outcome[DeployOutputs]:
    """Bring a cloud that is there to what is wanted of it."""
    done = deploy(wanted, passwords, context)
    changed = cloud.model_copy(update={"fingerprint": done.fingerprint, "versions": done.versions})
    wait_until_up(changed, _hosts(done), context)
    return _outcome(changed, done, context)


def _hosts(done: Deployed) -> Hosts:
    layout = done.site.layout
    hypervisors = layout.of(Role.COMPUTE) if done.site.driver == "fake" else ()
    return Hosts([each.name for each in layout.controllers], [each.name for each in hypervisors])


def _outcome(cloud: Cloud, done: Deployed, context: StepContext) -> Outcome[DeployOutputs]:
    context.log.info("the cloud answers at %s", cloud.auth_url)
    return Outcome(DebianOutputs(cloud=cloud, phases=dict(done.phases), started=dict(done.restarted)))


def _passwords(context: StepContext) -> Passwords:
    """Return those of an earlier attempt, or new ones, kept before anything is made with them."""
    file = context.artifacts / "passwords.json"
    try:
        return Passwords.load(file)
    except FileNotFoundError:
        made = Passwords.generate(context.tag)
        made.save(file)
        return made


def _keep(inputs: DebianInputs, context: StepContext) -> None:
    """Keep what this step wants of the cloud, before anything is done for it: `revive` brings it back to that."""
    write_private(context.artifacts / "deployment.json", inputs.model_dump_json())


def _kept(folder: Path) -> DebianInputs:
    try:
        return DebianInputs.model_validate_json((folder / "deployment.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(
            f"there is nothing about a cloud of deploy/debian in {folder}",
            hint="`cloud` has to be one that a deploy/debian with `servers` has built",
        ) from error


def _book(inputs: DebianInputs, passwords: Passwords, context: StepContext) -> dict[str, int]:
    """Book the deployment on each server, inside of the server when the ledger has that as well."""
    there = {row.name: row.id for row in context.ledger.open() if row.kind == KIND}
    rows = {}
    for server in inputs.servers:
        name = f"{context.tag}-{server.name}"
        detail = {"server": server.model_dump(mode="json"), "deployment": passwords.deployment}
        rows[server.name] = there.get(name) or context.ledger.intend(KIND, name, inside=server.ledger_id, detail=detail)
    return rows


def _cloud(done: Deployed, folder: Path, row: int) -> Cloud:
    return Cloud(
        name=NAME,
        kind="debian",
        clouds_yaml=folder / "clouds.yaml",
        region=done.site.region,
        auth_url=done.site.auth_url,
        versions=done.versions,
        ledger_id=row,
        fingerprint=done.fingerprint,
    )


def _write_clouds_yaml(cloud: Cloud, done: Deployed) -> None:
    auth = {
        "auth_url": cloud.auth_url,
        "username": "admin",
        "password": done.site.passwords.users["admin"],
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    entry = {"auth": auth, "region_name": cloud.region, "identity_api_version": "3"}
    write_clouds_yaml(cloud.clouds_yaml, cloud.name, entry)


def _stopped() -> Outcome[DeployOutputs]:
    """Say that there is no cloud yet; what is done is found done when the step goes on."""
    return Outcome(NoOutputs(), StepState.INTERRUPTED, "stopped before the cloud was complete")  # type: ignore[arg-type]
