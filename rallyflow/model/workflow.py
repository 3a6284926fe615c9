"""The workflow file, as pydantic models: the one definition that reading, the JSON Schema and the docs share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rallyflow.model.retry import RetryPolicy
from rallyflow.model.secret import SecretSource
from rallyflow.units import Duration

_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"


class FileModel(BaseModel):
    """Base of everything in a workflow file: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Param(FileModel):
    """A value that whoever runs the workflow may choose."""

    type: str = Field(
        "str",
        description="str, int, float, bool, duration, size, rate, percent, enum, list(TYPE) or map(TYPE); in a "
        "workflow that others use also a value of steps: Cloud, Servers, Server, Verification, BenchmarkResults",
    )
    default: Any = Field(None, description="Used when nothing else gives a value; without it the value must be given")
    description: str = Field("", description="What it is for, in a sentence")
    min: float | str | None = Field(
        None, description="The smallest value allowed (of each item of a list), such as 1 or 10s"
    )
    max: float | str | None = Field(
        None, description="The largest value allowed (of each item of a list), such as 100 or 4GiB"
    )
    choices: list[Any] | None = Field(None, description="The values allowed; needed by enum")
    pattern: str | None = Field(None, description="A regular expression that the whole text must match")


PositiveDuration = Annotated[Duration, Field(gt=0)]
"""A time that is more than nothing."""


class Timeouts(FileModel):
    """Time limits of a step; a plain duration is that of each attempt."""

    attempt: PositiveDuration | None = Field(None, description="For each attempt; it is stopped after that time")
    step: PositiveDuration | None = Field(
        None, description="For the step in all, its attempts and the delays between them, in one session of the run"
    )


OnFailure = Literal["stop", "continue", "pause"]
Limits = list[str] | dict[str, Annotated[int, Field(ge=1)]]

_LIMITS = "Units taken of named limits while the step runs: a list of names (one unit each) or a mapping to units"
_ON_FAILURE = (
    "stop: steps that need this one are skipped; continue: they run all the same; pause: they wait, and nothing is "
    "removed, until a person has answered"
)


class TypeDefaults(FileModel):
    """What every step of one type has unless it says otherwise."""

    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Inputs for those keys that a step does not give"
    )
    timeout: PositiveDuration | Timeouts | None = Field(None, description="As in a step")
    retry: RetryPolicy | None = Field(None, description="As in a step; key by key")
    locks: list[str] = Field(default_factory=list, description="As in a step")
    limits: Limits = Field(default_factory=list, description="As in a step")
    on_failure: OnFailure | None = Field(None, description="As in a step")


class Defaults(FileModel):
    """What every step has unless it says otherwise."""

    timeout: PositiveDuration | Timeouts | None = Field(None, description="For each attempt, or {attempt: …, step: …}")
    retry: RetryPolicy = Field(default_factory=RetryPolicy, description="When attempts are repeated; key by key")
    on_failure: OnFailure | None = Field(None, description="What a failed step means for those that need it")
    types: dict[str, TypeDefaults] = Field(
        default_factory=dict,
        description="For steps of one type: by what stands in `uses:`, or by the family before its slash, such as "
        "deploy; the nearer wins",
    )


class Step(FileModel):
    """One step of the workflow."""

    uses: str = Field(
        description="The step type, such as benchmark or deploy/embedded; or a workflow: a path such as ./load.yaml, "
        "or CATALOG/WORKFLOW@VERSION"
    )
    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="The inputs of the step type, or the params of the workflow"
    )
    description: str = Field("", description="What it is for, in a sentence")
    needs: list[str] = Field(default_factory=list, description="Steps to wait for, beside those that data comes from")
    matrix: dict[str, Any] | None = Field(
        None,
        description="Axes with lists of values: the step becomes one step for each combination. `include` adds cells, "
        "`exclude` takes some away, `order` is declared, interleaved or random (with `seed`)",
    )
    foreach: str | list[Any] | None = Field(
        None,
        description="A list, mostly ${{ steps.NAME.OUTPUT }}: the step becomes one step for each item, `item` in its "
        "expressions",
    )
    if_: str | bool = Field(
        "${{ success() }}",
        alias="if",
        description="Run only if this holds: success(), failure(), always(), any expression",
    )
    timeout: PositiveDuration | Timeouts | None = Field(
        None, description="For each attempt, which is stopped after that time; or {attempt: …, step: …}"
    )
    retry: RetryPolicy | None = Field(
        None, description="When attempts are repeated; what it leaves out is as in defaults"
    )
    locks: list[str] = Field(default_factory=list, description="Held while the step runs: no two holders at a time")
    limits: Limits = Field(default_factory=list, description=_LIMITS)
    on_failure: OnFailure = Field("stop", description=_ON_FAILURE)


class Workflow(FileModel):
    """A whole file."""

    rallyflow: Literal[1] = Field(description="The version of the workflow language")
    name: str = Field(pattern=_NAME, description="A name for the runs of this workflow")
    description: str = Field("", description="What it answers, in a sentence or two")
    params: dict[str, Param] = Field(
        default_factory=dict, description="Values that whoever runs it may choose: -p NAME=VALUE"
    )
    secrets: list[str] | dict[str, SecretSource | None] = Field(
        default_factory=list,
        description="Names of secrets, or a mapping from name to where each comes from; else RALLYFLOW_SECRET_NAME",
    )
    defaults: Defaults = Field(default_factory=Defaults, description="What every step has unless it says otherwise")
    limits: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="Named limits with their units, which steps take while they run"
    )
    steps: dict[str, Step] = Field(min_length=1, description="The steps by name, in any order")
    teardown: Literal["always", "on_success", "never"] = Field(
        "always", description="When to remove all that the run made; `rallyflow destroy` does it later"
    )
    ttl: PositiveDuration | None = Field(
        None,
        description="How long what the run makes may live, such as 8h: after that time `rallyflow cleanup --expired` "
        "removes what is still there, and its names say so to others; that of the file that is run",
    )
    outputs: dict[str, Any] = Field(
        default_factory=dict,
        description="Values to print at the end of a run, and to give to a workflow that uses this one",
    )
