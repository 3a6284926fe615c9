"""The step that does nothing: for joining branches, and for measuring the engine."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from rallyflow.model.step import Outcome, StepContext, StepModel, StepType


class NoopInputs(StepModel):
    """The inputs of `uses: noop`."""

    value: Any = Field(None, description="Given back as the output `value`")


class NoopOutputs(StepModel):
    """The outputs of `uses: noop`."""

    value: Any = Field(None, description="The input, unchanged")


class Noop(StepType[NoopInputs, NoopOutputs]):
    """Do nothing, and give the input back."""

    Inputs = NoopInputs
    Outputs = NoopOutputs
    inline: ClassVar[bool] = True
    pure: ClassVar[bool] = True

    def run(self, inputs: NoopInputs, context: StepContext) -> Outcome[NoopOutputs]:
        del context
        return Outcome(NoopOutputs(value=inputs.value))
