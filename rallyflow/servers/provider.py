"""What every server provider is: a step type that gives servers reached by ssh in one L3 network."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rallyflow.model.step import InputsT, OnResume, StepModel, StepType
from rallyflow.model.values import ServerFacts, Servers


class ProvisionOutputs(StepModel):
    """What later steps refer to as `steps.NAME.…`."""

    servers: Servers = Field(description="The servers, in the order in which they were asked for")
    facts: tuple[ServerFacts, ...] = Field(
        default=(), description="What the servers say about themselves, in the same order"
    )


class Provider(StepType[InputsT, ProvisionOutputs]):
    """Base of the plugins behind `uses: provision/…`."""

    Outputs = ProvisionOutputs
    on_resume: ClassVar[OnResume] = OnResume.RECONCILE
