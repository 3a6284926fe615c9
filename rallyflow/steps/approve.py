"""The step that waits for a person to agree, and perhaps to fill in a few values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from rallyflow.errors import InputsInvalid
from rallyflow.model.declarations import flaws_of
from rallyflow.model.params import annotation_of, read_value
from rallyflow.model.states import StepState
from rallyflow.model.step import Answer, OnResume, Outcome, StepContext, StepModel, StepType
from rallyflow.model.workflow import Param


def _is_sound(spec: Param) -> Param:
    """Refuse a declaration that makes no sense, or whose default does not fit it."""
    for flaw in flaws_of(spec):
        raise PydanticCustomError("rallyflow_param", "{what}", {"what": flaw.what, "hint": flaw.hint})
    if spec.default is not None:
        try:
            read_value(spec, spec.default)
        except ValueError as error:
            found = {"what": f"default: {error}", "hint": f"its type is {spec.type}"}
            raise PydanticCustomError("rallyflow_param", "{what}", found) from None
    return spec


class ApproveInputs(StepModel):
    """The inputs of `uses: approve`."""

    message: str = Field(min_length=1, description="What the person is asked")
    input: dict[str, Annotated[Param, AfterValidator(_is_sound)]] = Field(
        default_factory=dict, description="Values to fill in, declared as params are"
    )


class ApproveOutputs(StepModel):
    """The outputs of `uses: approve`."""

    approved: bool = Field(False, description="Whether the person agreed; the step has failed when not")
    answer: dict[str, Any] = Field(default_factory=dict, description="The values that were filled in")
    by: str = Field("", description="Who answered")


class Approve(StepType[ApproveInputs, ApproveOutputs]):
    """Wait for a person: the run pauses here, and `rallyflow approve` answers. What does not need the step goes on."""

    Inputs = ApproveInputs
    Outputs = ApproveOutputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT
    inline: ClassVar[bool] = True

    @classmethod
    def outputs_for(cls, inputs: Mapping[str, Any]) -> type[ApproveOutputs]:
        """Return the outputs with `answer` typed as the file's `input:` declares it."""
        declared = inputs.get("input")
        fields: dict[str, Any] = {}
        for number, (name, spec) in enumerate(declared.items() if isinstance(declared, dict) else ()):
            fields[f"a{number}"] = (_annotation(spec), Field(None, alias=str(name)))
        answer = create_model("answer", __config__=ConfigDict(frozen=True, extra="forbid"), **fields)
        return create_model("ApproveOutputs", __base__=ApproveOutputs, answer=(answer, Field(default_factory=answer)))

    def run(self, inputs: ApproveInputs, context: StepContext) -> Outcome[ApproveOutputs]:
        """Give the answer of a person, or pause until there is one."""
        answer = context.answer
        if answer is None:
            return Outcome(ApproveOutputs(), StepState.PAUSED, inputs.message)
        outputs = ApproveOutputs(approved=answer.approved, answer=read_answer(inputs, answer), by=answer.by)
        if answer.approved:
            return Outcome(outputs)
        return Outcome(outputs, StepState.FAILED, f"not approved{' by ' + answer.by if answer.by else ''}")


def read_answer(inputs: ApproveInputs, answer: Answer) -> dict[str, Any]:
    """Return the values that a person has filled in, as their types; InputsInvalid says what is wrong with them."""
    if not answer.approved:
        return {}
    unknown = [name for name in answer.values if name not in inputs.input]
    if unknown:
        raise InputsInvalid(
            f"nobody asked for {unknown[0]!r}", hint=f"asked for: {', '.join(inputs.input) or 'nothing'}"
        )
    return {name: _read(name, spec, answer.values.get(name, spec.default)) for name, spec in inputs.input.items()}


def _read(name: str, spec: Param, value: Any) -> Any:
    if value is None:
        raise InputsInvalid(f"{name!r} has no value", hint=f"give one: -p {name}=…")
    try:
        return read_value(spec, value)
    except ValueError as error:
        raise InputsInvalid(f"{name!r}: {error}", hint=f"its type is {spec.type}") from error


def _annotation(spec: Any) -> Any:
    try:
        return annotation_of(Param.model_validate(spec).type)
    except ValidationError:
        return Any
