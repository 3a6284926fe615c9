"""The workflow file, as pydantic models: the one definition that reading, the JSON Schema and the docs share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rallyflow.model.retry import RetryPolicy
from rallyflow.units import Duration

_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"


class FileModel(BaseModel):
    """Base of everything in a workflow file: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Param(FileModel):
    """A value that whoever runs the workflow may choose."""

    type: str = Field(
        "str",
        description="str, int, float, bool, duration, size, rate, percent, enum, list(TYPE) or map(TYPE)",
    )
    default: Any = Field(None, description="Used when nothing else gives a value; without it the value must be given")
    description: str = ""
    min: float | None = Field(None, description="The smallest value allowed (of each item of a list)")
    max: float | None = Field(None, description="The largest value allowed (of each item of a list)")
    choices: list[Any] | None = Field(None, description="The values allowed; needed by enum")
    pattern: str | None = Field(None, description="A regular expression that the whole text must match")


class Defaults(FileModel):
    """What every step has unless it says otherwise."""

    timeout: Duration | None = Field(None, description="For each attempt")
    retry: RetryPolicy = Field(default_factory=RetryPolicy)


OnFailure = Literal["stop", "continue"]


class Step(FileModel):
    """One step of the workflow."""

    uses: str = Field(description="The step type, such as benchmark, or deploy/embedded")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="The inputs of the step type")
    description: str = ""
    needs: list[str] = Field(default_factory=list, description="Steps to wait for, beside those that data comes from")
    matrix: dict[str, Any] | None = Field(
        None, description="Axes with lists of values: the step becomes one step for each combination"
    )
    if_: str | bool = Field(
        "${{ success() }}",
        alias="if",
        description="Run only if this holds: success(), failure(), always(), any expression",
    )
    timeout: Duration | None = Field(None, description="For each attempt; it is stopped after that time")
    retry: RetryPolicy | None = None
    locks: list[str] = Field(default_factory=list, description="Held while the step runs: no two holders at a time")
    on_failure: OnFailure = Field(
        "stop", description="stop: steps that need this one are skipped; continue: they run all the same"
    )


class Workflow(FileModel):
    """A whole file."""

    rallyflow: Literal[1] = Field(description="The version of the workflow language")
    name: str = Field(pattern=_NAME)
    description: str = ""
    params: dict[str, Param] = Field(default_factory=dict)
    secrets: list[str] = Field(
        default_factory=list, description="Names of secrets; the values come from RALLYFLOW_SECRET_NAME"
    )
    defaults: Defaults = Field(default_factory=Defaults)
    steps: dict[str, Step] = Field(min_length=1)
    teardown: Literal["always", "on_success", "never"] = Field(
        "always", description="When to remove all that the run made; `rallyflow destroy` does it later"
    )
    outputs: dict[str, Any] = Field(default_factory=dict, description="Values to print at the end of a run")
