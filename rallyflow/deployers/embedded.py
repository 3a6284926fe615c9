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
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound, StepError, TransientError
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
        settings = _settings(inputs, SecretStr(secrets.token_urlsafe(18)))
        resource = context.ledger.intend(KIND, context.tag, detail={"state": str(state)})
        context.report(Progress(note="starting the embedded cloud"))
        shutil.rmtree(state, ignore_errors=True)  # of a cloud that the ledger no longer knows: it has other passwords
        process.save_settings(state, settings)
        cloud = _start(state, 0, settings, context, resource)
        context.log.info("the embedded cloud answers at %s", cloud.auth_url)
        return Outcome(DeployOutputs(cloud=cloud))

    def adopt(self, inputs: EmbeddedInputs, context: StepContext) -> Outcome[DeployOutputs] | None:
        """Take the cloud over that a killed attempt had begun to make: wake it, if it was to be just this one."""
        found = _of(context)
        if found is None or found[2] != _settings(inputs, found[2].password):
            return None
        resource, state, settings = found
        cloud = _wake(state, _last_port(state), settings, context, resource)
        return Outcome(DeployOutputs(cloud=cloud))

    def revive(self, outputs: DeployOutputs, context: StepContext) -> DeployOutputs | None:
        """Make the cloud answer again, from its state folder and for this session; None when it can't."""
        found = _of(context)
        if found is None:
            return None
        resource, state, settings = found
        if settings.keep and process.running(state) and _answers(outputs.cloud):
            return outputs
        port = urlsplit(outputs.cloud.auth_url).port or 0  # its own note of it is gone when a revival was killed
        try:
            return DeployOutputs(cloud=_wake(state, port, settings, context, resource))
        except TransientError:
            raise
        except StepError as error:
            context.log.warning("the embedded cloud can't be woken: %s", error.what)
            return None


def _settings(inputs: EmbeddedInputs, password: SecretStr) -> Settings:
    return Settings(
        password=password, speed=inputs.options.applied_to(inputs.speed), seed=inputs.seed, keep=inputs.keep
    )


def _of(context: StepContext) -> tuple[int, Path, Settings] | None:
    """Return what the ledger has of a cloud of this step: its row, its state folder and its settings."""
    row = next((row for row in context.ledger.open() if row.kind == KIND), None)
    if row is None:
        return None
    state = Path(row.detail["state"])
    try:
        return row.id, state, process.load_settings(state)
    except (FileNotFoundError, ValueError):  # killed before they were written, or in the middle of that
        return None


def _last_port(state: Path) -> int:
    try:
        return process.read_endpoint(state).port
    except (FileNotFoundError, ValueError):
        return 0


def _wake(state: Path, port: int, settings: Settings, context: StepContext, resource: int) -> Cloud:
    process.stop(state)
    cloud = _start(state, port, settings, context, resource)
    context.log.info("the embedded cloud answers again at %s", cloud.auth_url)
    return cloud


def _start(state: Path, port: int, settings: Settings, context: StepContext, resource: int) -> Cloud:
    pid = process.start(state, port=port, guardian=_guardian(settings, context))
    context.ledger.created(resource, str(pid))
    return _await_cloud(state, pid, settings, context, resource)


def _guardian(settings: Settings, context: StepContext) -> int:
    return 0 if settings.keep else context.guardian


def _await_cloud(state: Path, pid: int, settings: Settings, context: StepContext, ledger_id: int) -> Cloud:
    endpoint = process.wait_until_up(state, pid)
    clouds_yaml = context.artifacts.absolute() / "clouds.yaml"
    write_clouds_yaml(clouds_yaml, NAME, _entry(endpoint.auth_url, settings))
    found = probe(NAME, clouds_yaml, only=True)
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
        probe(cloud.name, cloud.clouds_yaml, only=True, timeout=5.0)
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
