"""What every verifier is: a step type that checks a cloud or its servers, test by test."""

from __future__ import annotations

from pydantic import Field

from rallyflow.model.step import InputsT, StepModel, StepType
from rallyflow.model.values import Verification


class VerifyOutputs(StepModel):
    """What later steps refer to as `steps.NAME.…`."""

    verification: Verification = Field(description="How many tests passed, failed, were skipped, ...")


class Verifier(StepType[InputsT, VerifyOutputs]):
    """Base of the plugins behind `uses: verify/…`."""

    Outputs = VerifyOutputs
