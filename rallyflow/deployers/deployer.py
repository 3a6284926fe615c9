"""What every deploy engine is: a step type that puts a cloud on servers, or names one that exists."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from rallyflow.model.step import InputsT, OnResume, StepModel, StepType
from rallyflow.model.values import Cloud


class DeployOutputs(StepModel):
    """What later steps refer to as `steps.NAME.…`."""

    cloud: Cloud = Field(description="The cloud, answering")


class Deployer(StepType[InputsT, DeployOutputs]):
    """Base of the plugins behind `uses: deploy/…`."""

    Outputs: ClassVar[type[BaseModel]] = DeployOutputs
    on_resume: ClassVar[OnResume] = OnResume.RECONCILE
