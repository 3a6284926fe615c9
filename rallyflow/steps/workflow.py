"""The step that a workflow is in another one: made by the compiler, as the gate before its steps and as their end."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from rallyflow.errors import InputsInvalid
from rallyflow.model.params import read_value
from rallyflow.model.step import Outcome, StepContext, StepModel, StepType
from rallyflow.model.workflow import Param


class WorkflowInputs(StepModel):
    """What the compiler gives: params that come from other steps, or the outputs."""

    values: dict[str, Any] = Field(default_factory=dict, description="Values by name")
    types: dict[str, Param] = Field(default_factory=dict, description="The params that some of them are")


class WorkflowOutputs(StepModel):
    """The same values, read as the types of the params."""

    model_config = ConfigDict(frozen=True, extra="allow")


class WorkflowStep(StepType[WorkflowInputs, WorkflowOutputs]):
    """Run the steps of another workflow: write its path, or its name in a catalog, in `uses:`."""

    Inputs = WorkflowInputs
    Outputs = WorkflowOutputs
    inline: ClassVar[bool] = True
    internal: ClassVar[bool] = True

    def run(self, inputs: WorkflowInputs, context: StepContext) -> Outcome[WorkflowOutputs]:
        """Read the values, and give them on."""
        del context
        values = dict(inputs.values)
        for name, spec in inputs.types.items():
            try:
                values[name] = read_value(spec, values[name])
            except ValueError as error:
                raise InputsInvalid(f"the param {name!r}: {error}", hint=f"its type is {spec.type}") from error
        return Outcome(WorkflowOutputs(**values))
