"""`deploy/embedded`: a simulated OpenStack in a process on this machine, ready in a second."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from rallyflow.clouds.embedded import VERSIONS, process
from rallyflow.clouds.embedded.resources import KIND
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.speed import Options, Speed
from rallyflow.deployers.credentials import write_clouds_yaml
from rallyflow.deployers.deployer import Deployer, DeployOutputs
from rallyflow.deployers.probe import probe
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound
from rallyflow.model.step import Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud, Servers

NAME = "embedded"
REGION = "RegionOne"


class EmbeddedInputs(StepModel):
    """The file's `with:`."""

    servers: Servers = Field(description="Where to run it: the first server that is this machine (provision/local)")
    speed: Speed = Field(default_factory=Speed, description="How fast the simulated cloud is")
    options: Options = Field(default_factory=Options, description="Switches of the simulated cloud")
    seed: int = Field(default=0, ge=0, description="Where all randomness of the cloud starts")
    keep: bool = Field(default=False, description="Keep answering after the run's process has ended")

    @field_validator("servers", mode="after")
    @classmethod
    def _has_local(cls, servers: Servers) -> Servers:
        if not any(server.connection == "local" for server in servers):
            raise PydanticCustomError(
                "no_local_server", "the embedded cloud runs on this machine only: use provision/local"
            )
        return servers


class Embedded(Deployer[EmbeddedInputs]):
    """Starts the simulated cloud."""

    Inputs = EmbeddedInputs

    def run(self, inputs: EmbeddedInputs, context: StepContext) -> Outcome[DeployOutputs]:
        """Start a new cloud, and return it once an authenticated request has been answered."""
        state = context.artifacts.absolute() / "state"
        settings = Settings(
            password=SecretStr(secrets.token_urlsafe(18)),
            speed=inputs.options.applied_to(inputs.speed),
            seed=inputs.seed,
            keep=inputs.keep,
        )
        resource = context.ledger.intend(KIND, context.tag, detail={"state": str(state)})
        context.report(Progress(note="starting the embedded cloud"))
        shutil.rmtree(state, ignore_errors=True)  # of a cloud that the ledger no longer knows: it has other passwords
        process.save_settings(state, settings)
        pid = process.start(state, guardian=_guardian(settings, context))
        context.ledger.created(resource, str(pid))
        cloud = _await_cloud(state, pid, settings, context, resource)
        context.log.info("the embedded cloud answers at %s (process %d)", cloud.auth_url, pid)
        return Outcome(DeployOutputs(cloud=cloud))

    def revive(self, outputs: DeployOutputs, context: StepContext) -> DeployOutputs | None:
        """Make the cloud answer again, from its state folder and for this session; None when that is gone."""
        resource = next((row for row in context.ledger.open() if row.kind == KIND), None)
        if resource is None:
            return None
        state = Path(resource.detail["state"])
        try:
            settings = process.load_settings(state)
        except FileNotFoundError:
            return None
        if settings.keep and process.running(state) and _answers(outputs.cloud):
            return outputs
        process.stop(state)
        port = urlsplit(outputs.cloud.auth_url).port or 0  # its own note of it is gone when a revival was killed
        pid = process.start(state, port=port, guardian=_guardian(settings, context))
        context.ledger.created(resource.id, str(pid))
        cloud = _await_cloud(state, pid, settings, context, resource.id)
        context.log.info("the embedded cloud answers again at %s (process %d)", cloud.auth_url, pid)
        return DeployOutputs(cloud=cloud)


def _guardian(settings: Settings, context: StepContext) -> int:
    return 0 if settings.keep else context.guardian


def _await_cloud(state: Path, pid: int, settings: Settings, context: StepContext, ledger_id: int) -> Cloud:
    endpoint = process.wait_until_up(state, pid)
    clouds_yaml = context.artifacts.absolute() / "clouds.yaml"
    write_clouds_yaml(clouds_yaml, NAME, _entry(endpoint.auth_url, settings))
    found = probe(NAME, clouds_yaml)
    return Cloud(
        name=NAME,
        kind="embedded",
        clouds_yaml=clouds_yaml,
        region=found.region,
        auth_url=endpoint.auth_url,
        simulated=True,
        versions=dict(VERSIONS),
        ledger_id=ledger_id,
        fingerprint=settings.fingerprint,
    )


def _answers(cloud: Cloud) -> bool:
    try:
        probe(cloud.name, cloud.clouds_yaml, timeout=5.0)
    except (CloudAnswered, CloudRefused, CloudUnreachable, NotFound):
        return False
    return True


def _entry(auth_url: str, settings: Settings) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": auth_url,
            "username": "admin",
            "password": settings.password.get_secret_value(),
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": REGION,
        "identity_api_version": "3",
    }
