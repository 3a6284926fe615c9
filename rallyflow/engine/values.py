"""What expressions see while a run goes on: params, the outputs of steps that have ended, secrets, the run itself."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any

from rallyflow.errors import InputsInvalid, UsageError
from rallyflow.expressions import (
    Cells,
    Expression,
    ExpressionError,
    evaluate_template,
    expressions_of,
    parse,
    parse_template,
)
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep

_VARIABLE = "RALLYFLOW_SECRET_{}"


class Values:
    """The outputs so far, and what else expressions may use."""

    def __init__(self, plan: Plan, run: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """`run` has the fields id, name and directory."""
        self._plan = plan
        self._outputs: dict[str, Mapping[str, Any]] = {}
        self._members = {step: name for name, steps in plan.groups.items() for step in steps}
        self._matrix = {step.id: step.matrix for step in plan.steps if step.id in self._members}
        self.secrets = tuple(secrets.values())
        self._common = {"params": plan.params, "run": run, "secrets": secrets}

    def put(self, step: StepId, outputs: Mapping[str, Any]) -> None:
        """Take the outputs of a step that has ended."""
        self._outputs[step] = outputs

    def of(self, step: str) -> Mapping[str, Any]:
        """Return the outputs of a step; empty when it has none."""
        return self._outputs.get(step, {})

    def inputs(self, step: PlannedStep) -> dict[str, Any]:
        """Return a step's inputs with every deferred value put in; InputsInvalid when one has no value."""
        if not step.deferred:
            return dict(step.inputs)
        inputs = copy.deepcopy(dict(step.inputs))
        for place in step.deferred:
            _put(inputs, place.path, self._evaluate(step, place.source, ".".join(map(str, place.path))))
        return inputs

    def judge(self, step: PlannedStep, succeeded: Callable[[], bool], failed: Callable[[], bool]) -> bool:
        """Return whether the condition of a step holds; InputsInvalid when it can't be evaluated."""
        expression = parse(step.condition)
        names = {"success": succeeded, "failure": failed, "always": lambda: True}
        if not set(expression.calls) & set(names) and not succeeded():
            return False  # like anywhere else: a plain condition is on top of success()
        try:
            return bool(expression.evaluate({**self._names(step, _steps_in("${{ " + step.condition + " }}")), **names}))
        except ExpressionError as error:
            raise InputsInvalid(f"if: {error}", hint=error.hint, where=step.where) from error

    def outputs(self) -> dict[str, Any]:
        """Return the workflow's outputs; those without a value are null."""
        return {name: self._lenient(value) for name, value in self._plan.outputs.items()}

    def _lenient(self, value: Any) -> Any:
        if not isinstance(value, str) or "${{" not in value:
            return value
        try:
            return evaluate_template(value, self._names(None, _steps_in(value)))
        except ExpressionError:
            return None

    def _evaluate(self, step: PlannedStep, source: str, place: str) -> Any:
        if self._is_of_no_outputs(source):
            return None  # the inputs' own type says whether that will do
        try:
            return evaluate_template(source, self._names(step, _steps_in(source)))
        except ExpressionError as error:
            raise InputsInvalid(f"with.{place}: {error}", hint=error.hint, where=step.where) from error

    def _is_of_no_outputs(self, source: str) -> bool:
        """Whether a text is nothing but a reference to a step that ended without outputs."""
        parts = parse_template(source)
        direct = parts[0].direct if len(parts) == 1 and isinstance(parts[0], Expression) else None
        if direct is None or direct.root != "steps" or not direct.path:
            return False
        return direct.path[0] not in self._plan.groups and direct.path[0] not in self._outputs

    def _names(self, step: PlannedStep | None, wanted: set[str]) -> dict[str, Any]:
        steps = {name: self._step(name) for name in wanted}
        return {**self._common, "steps": steps, "matrix": step.matrix if step else {}}

    def _step(self, name: str) -> Any:
        if name in self._plan.groups:
            return Cells([(self._matrix[cell], self._outputs.get(cell, {})) for cell in self._plan.groups[name]])
        return self._outputs.get(name, {})


def _steps_in(source: str) -> set[str]:
    return {
        reference.path[0]
        for expression in expressions_of(source)
        for reference in expression.references
        if reference.root == "steps" and reference.path
    }


def _put(data: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def read_secrets(names: tuple[str, ...]) -> dict[str, str]:
    """Return the secrets of a workflow from the environment; UsageError names the variables that are missing."""
    variables = {name: _VARIABLE.format(name.upper().replace("-", "_")) for name in names}
    missing = [variable for variable in variables.values() if variable not in os.environ]
    if missing:
        raise UsageError(f"the workflow needs secrets: {', '.join(missing)}", hint="set them in the environment")
    return {name: os.environ[variable] for name, variable in variables.items()}
