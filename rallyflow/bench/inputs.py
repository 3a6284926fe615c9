"""What the step `benchmark` takes, and everything about it that can be checked without a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from rallyflow.bench.load.spec import Load, Serial
from rallyflow.model.step import StepModel
from rallyflow.model.values import Cloud

if TYPE_CHECKING:
    from rallyflow.bench.scenarios.model import Problem


class BenchmarkInputs(StepModel):
    """What a benchmark needs."""

    cloud: Cloud | None = Field(default=None, description="The cloud under load; dummy scenarios need none")
    scenario: str = Field(description="What one iteration does, such as nova.boot_and_delete_server")
    args: dict[str, Any] = Field(default_factory=dict, description="The scenario's arguments")
    contexts: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict,
        description="What the load finds ready: users, network, images, flavors; null leaves out a default",
    )
    load: Load = Field(
        default_factory=lambda: Load(serial=Serial()),
        description="How iterations are started; one, by default",
    )
    sla: list[dict[str, dict[str, Any]]] = Field(
        default_factory=list, description="What has to be met; when empty, that no iteration fails"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _check_offline(cls, value: Any, handler: ModelWrapValidatorHandler[BenchmarkInputs]) -> BenchmarkInputs:
        """Look up scenario, arguments, contexts and criteria even when other fields are not right yet."""
        found = [_detail(problem, value) for problem in _problems(value)] if isinstance(value, Mapping) else []
        try:
            inputs = handler(value)
        except ValidationError as error:
            found = [_kept(one) for one in error.errors()] + found
        if found:
            raise ValidationError.from_exception_data("benchmark", found)
        return inputs


def _problems(value: Mapping[str, Any]) -> list[Problem]:
    from rallyflow.bench.contexts.stage import validate_contexts
    from rallyflow.bench.scenarios import catalog
    from rallyflow.bench.scenarios.check import validate_scenario
    from rallyflow.bench.sla.spec import validate_sla

    name = value.get("scenario")
    problems = validate_scenario(name, value.get("args", {}))
    known = isinstance(name, str) and name in catalog.names()
    actions = catalog.find(name).actions if known and isinstance(name, str) else None
    return problems + validate_contexts(value.get("contexts")) + validate_sla(value.get("sla"), actions)


def _detail(problem: Problem, value: Mapping[str, Any]) -> InitErrorDetails:
    shown: Any = value
    for key in problem.loc:
        shown = shown[key] if isinstance(shown, Mapping) and key in shown else None
    template = "{what} ({hint})" if problem.hint else "{what}"
    kind = PydanticCustomError("rallyflow_benchmark", template, {"what": problem.what, "hint": problem.hint})
    return InitErrorDetails(type=kind, loc=problem.loc, input=shown)


def _kept(found: Mapping[str, Any]) -> InitErrorDetails:
    """Return an error that pydantic found itself, to be raised again beside ours."""
    context = {name: value for name, value in found.get("ctx", {}).items() if isinstance(value, str | int | float)}
    kind = PydanticCustomError(found["type"], found["msg"], context or None)
    return InitErrorDetails(type=kind, loc=tuple(found["loc"]), input=found["input"])
