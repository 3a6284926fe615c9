"""What expressions see while a run goes on: params, the outputs of steps that have ended, secrets, the run itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rallyflow.errors import InputsInvalid
from rallyflow.expressions import (
    Cells,
    Expression,
    ExpressionError,
    evaluate_template,
    expressions_of,
    is_template,
    parse,
    parse_template,
)
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.secret import Secret

MOST_ITEMS = 10_000
"""How many steps a foreach step may become."""


class Values:
    """The outputs so far, and what else expressions may use."""

    def __init__(self, plan: Plan, run: Mapping[str, Any], secrets: Mapping[str, Secret]) -> None:
        """`run` has the fields id, name and directory."""
        self._plan = plan
        self._outputs: dict[str, Mapping[str, Any]] = {}
        self._groups = dict(plan.groups)
        self._matrix = {step.id: step.matrix for step in plan.steps if step.matrix}
        self.secrets = tuple(secrets.values())
        self._common = {"run": run, "secrets": {name: secret.reveal() for name, secret in secrets.items()}}

    def put(self, step: StepId, outputs: Mapping[str, Any]) -> None:
        """Take the outputs of a step that has ended."""
        self._outputs[step] = outputs

    def add(self, parent: StepId, cells: Sequence[PlannedStep]) -> None:
        """Take the steps that a foreach step has become."""
        self._groups[parent] = tuple(cell.id for cell in cells)
        self._matrix.update((cell.id, cell.matrix) for cell in cells)

    def of(self, step: str) -> Mapping[str, Any]:
        """Return the outputs of a step; empty when it has none."""
        return self._outputs.get(step, {})

    def inputs(self, step: PlannedStep) -> dict[str, Any]:
        """Return a step's inputs with every deferred value put in; InputsInvalid when one has no value."""
        if not step.deferred:
            return dict(step.inputs)
        inputs = copy.deepcopy(dict(step.inputs))
        for place in step.deferred:
            _put(inputs, place.path, self._evaluate(step, place.source, f"with.{'.'.join(map(str, place.path))}"))
        return inputs

    def items(self, step: PlannedStep) -> list[Any]:
        """Return the list that a foreach step becomes steps for; InputsInvalid when it is none, or too long."""
        found = self._resolved(step, step.foreach)
        if found is None:
            return []  # of a step that ended without outputs
        if not isinstance(found, list):
            raise InputsInvalid(f"foreach takes a list; this is a {type(found).__name__}", where=step.where)
        if len(found) > MOST_ITEMS:
            raise InputsInvalid(f"foreach takes at most {MOST_ITEMS} items; these are {len(found)}", where=step.where)
        return found

    def _resolved(self, step: PlannedStep, data: Any) -> Any:
        if isinstance(data, list):
            return [self._resolved(step, item) for item in data]
        if isinstance(data, dict):
            return {key: self._resolved(step, item) for key, item in data.items()}
        return self._evaluate(step, data, "foreach") if is_template(data) else data

    def judge(self, step: PlannedStep, succeeded: Callable[[], bool], failed: Callable[[], bool]) -> bool:
        """Return whether the condition of a step holds; InputsInvalid when it can't be evaluated."""
        expression = parse(step.condition)
        names = {"success": succeeded, "failure": failed, "always": lambda: True}
        says_itself = bool(set(expression.calls) & set(names))
        if not says_itself and not succeeded():
            return False  # like anywhere else: a plain condition is on top of success()
        if step.foreach is not None and any(found.root == "item" for found in expression.references):
            return True  # the condition is that of each of its items
        try:
            return bool(expression.evaluate({**self._names(step, "${{ " + step.condition + " }}"), **names}))
        except ExpressionError as error:
            raise InputsInvalid(f"if: {error}", hint=error.hint, where=step.where) from error

    def outputs(self) -> dict[str, Any]:
        """Return the workflow's outputs; those without a value are null."""
        return {name: self._lenient(value) for name, value in self._plan.outputs.items()}

    def _lenient(self, value: Any) -> Any:
        if not is_template(value):
            return value
        try:
            return evaluate_template(value, self._names(None, value))
        except ExpressionError:
            return None

    def _evaluate(self, step: PlannedStep, source: str, place: str) -> Any:
        ends_workflow = step.scope == step.id
        if self._is_of_no_outputs(step, source) or (ends_workflow and self.misses_outputs(step, source)):
            return None  # the inputs' own type says whether that will do
        try:
            return evaluate_template(source, self._names(step, source))
        except ExpressionError as error:
            raise InputsInvalid(f"{place}: {error}", hint=error.hint, where=step.where) from error

    def misses_outputs(self, step: PlannedStep, source: str) -> bool:
        """Whether a text refers to a step that ended without outputs: no wonder, then, that it has no value."""
        names = (_full(step.scope, name) for name in _steps_in(source))
        return any(name not in self._groups and name not in self._outputs for name in names)

    def _is_of_no_outputs(self, step: PlannedStep, source: str) -> bool:
        """Whether a text is nothing but a reference to a step that ended without outputs."""
        parts = parse_template(source)
        direct = parts[0].direct if len(parts) == 1 and isinstance(parts[0], Expression) else None
        if direct is None or direct.root != "steps" or not direct.path:
            return False
        name = _full(step.scope, direct.path[0])
        return name not in self._groups and name not in self._outputs

    def _names(self, step: PlannedStep | None, source: str) -> dict[str, Any]:
        """Return what the names in an expression mean for a step; None is the workflow at the top."""
        scope = step.scope if step else ""
        return {
            **self._common,
            "params": self._params(scope),
            "steps": {name: self._step(_full(scope, name)) for name in _steps_in(source)},
            "matrix": step.matrix if step else {},
            "item": step.item if step else None,
        }

    def _params(self, scope: str) -> Mapping[str, Any]:
        if not scope:
            return self._plan.params
        inside = self._plan.scopes[scope]
        late = self._outputs.get(inside.gate)
        return {**inside.params, **late} if late else inside.params

    def _step(self, name: str) -> Any:
        if name in self._groups:
            return Cells([(self._matrix.get(cell, {}), self._outputs.get(cell, {})) for cell in self._groups[name]])
        return self._outputs.get(name, {})


def _full(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


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
