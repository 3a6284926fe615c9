"""`deploy/existing`: a cloud that is there already, named as openstacksdk names it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from rallyflow.clouds.base import Base, check_base, make_base
from rallyflow.deployers.credentials import write_clouds_yaml
from rallyflow.deployers.deployer import Deployer, DeployOutputs
from rallyflow.deployers.probe import Probed, probe
from rallyflow.errors import CloudRefused, NotFound
from rallyflow.model.step import OnResume, Outcome, StepContext, StepModel
from rallyflow.model.values import Cloud

ENVIRONMENT = "environment"
"""The entry that the OS_* variables are written down as; openstacksdk reads no file that has one called `envvars`."""


class ExistingInputs(StepModel):
    """The file's `with:`."""

    cloud: str = Field(min_length=1, description="Entry of clouds.yaml; `envvars` reads the OS_* variables instead")
    clouds_yaml: Path | None = Field(
        default=None,
        description="The clouds.yaml, which may have a secure.yaml beside it; without it the places where openstacksdk "
        "looks are searched",
    )
    base: Base | None = Field(
        default=None,
        description="An image, flavors and a network that it gets where it has none of these names, and that go with "
        "the run; needs an admin",
    )


class Existing(Deployer[ExistingInputs]):
    """Probes a cloud; makes nothing but the base that was asked for, removes nothing else."""

    Inputs = ExistingInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: ExistingInputs, context: StepContext) -> Outcome[DeployOutputs]:
        """Authenticate, read the catalogue, and return the cloud."""
        if inputs.base:
            check_base(inputs.base)
        given = inputs.clouds_yaml.absolute() if inputs.clouds_yaml else None
        found = probe(inputs.cloud, given)
        context.log.info("the cloud %s answers at %s", inputs.cloud, found.auth_url)
        name, clouds_yaml = ENVIRONMENT if found.from_environment else inputs.cloud, found.clouds_yaml
        if clouds_yaml is None:  # later steps read one file, and nothing else
            clouds_yaml = _copy(context)
            write_clouds_yaml(clouds_yaml, name, found.entry)
        cloud = _cloud(name, clouds_yaml, found)
        if inputs.base:
            make_base(cloud, inputs.base, context)
        return Outcome(DeployOutputs(cloud=cloud))

    def revive(self, outputs: DeployOutputs, context: StepContext) -> DeployOutputs | None:
        """Probe the cloud again; None when its entry is gone. Raises as `run` when it does not answer."""
        cloud = outputs.cloud
        try:
            found = probe(cloud.name, cloud.clouds_yaml, only=True)
        except NotFound:
            return None
        except CloudRefused:
            if cloud.clouds_yaml != _copy(context):
                raise
            return None  # what the copy was made of may have a new password by now
        return DeployOutputs(cloud=_cloud(cloud.name, cloud.clouds_yaml, found))


def _copy(context: StepContext) -> Path:
    """Return where an entry is written down that no file has all of. It has secrets: only its owner may read it."""
    return context.artifacts.absolute() / "clouds.yaml"


def _cloud(name: str, clouds_yaml: Path, found: Probed) -> Cloud:
    return Cloud(
        name=name,
        kind="existing",
        clouds_yaml=clouds_yaml,
        region=found.region,
        auth_url=found.auth_url,
        versions=dict.fromkeys(found.endpoints, ""),
        fingerprint=found.fingerprint,
    )
