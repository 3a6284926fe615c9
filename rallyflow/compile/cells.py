"""Expands a step into its cells: every value that is known put in, the rest deferred, the inputs validated."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.draft import Draft, Params, substitute
from rallyflow.compile.matrix import cell_id, expand
from rallyflow.compile.validation import validate
from rallyflow.expressions import (
    Budget,
    ExpressionError,
    Reference,
    evaluate_node,
    evaluate_template,
    is_template,
    select_cells,
)
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Deferred, PlannedStep, Scope, digest
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.secret import SecretSource
from rallyflow.model.step import OnResume, StepType
from rallyflow.model.workflow import Limits, Timeouts
from rallyflow.units import Duration

_BUDGET = 10_000_000
"""What all expressions of a plan may spend together: some seconds."""


@dataclass(slots=True)
class Growing:
    """The plan as far as it has been made, in topological order."""

    steps: dict[StepId, PlannedStep] = field(default_factory=dict)
    groups: dict[str, tuple[StepId, ...]] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    seeds: dict[str, int | str] = field(default_factory=dict)
    secrets: dict[str, SecretSource] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    budget: Budget = field(default_factory=lambda: Budget(_BUDGET))

    def fingerprint(self, name: str) -> str:
        """Return what changes when anything of a step, or of a group of steps, changes."""
        if name in self.groups:
            return digest([self.steps[step].fingerprint for step in self.groups[name]])
        return self.steps[StepId(name)].fingerprint


class Inlining(Protocol):
    """Who puts the steps of a workflow in the place of one cell of a step."""

    def __call__(self, draft: Draft, cell: Cell) -> None:
        """Add all steps of the workflow to the plan."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a step, or the one that a step without a matrix is, with its inputs resolved as far as can be."""

    id: StepId
    matrix: Mapping[str, Any]
    inputs: dict[str, Any]
    deferred: tuple[Deferred, ...]
    needs: tuple[str, ...]
    after: tuple[StepId, ...]
    valid: bool  # its inputs are those that its type takes


@dataclass(slots=True)
class Expansion:
    """Expands the steps of one file, in the scope where it is used."""

    params: Params
    scope: str  # the id of the step that the file is inside of; empty at the top
    gate: str
    errors: Diagnostics
    plan: Growing
    inline: Inlining

    def full(self, name: str) -> str:
        """Return the name that a step of the file has in the plan."""
        return f"{self.scope}/{name}" if self.scope else name

    def __contains__(self, name: str) -> bool:
        full = self.full(name)
        return full in self.plan.groups or full in self.plan.steps

    def add(self, draft: Draft, needs: Sequence[str]) -> None:
        """Expand one step whose needs have been expanded before."""
        full = self.full(draft.name)
        if draft.spec.matrix is None:
            self._add_cell(draft, StepId(full), {}, needs, ())
            return
        matrix_path: Path = (*draft.path, "matrix")
        if any(self.params.are_broken(found) for place, found in draft.templates.items() if place[2] == "matrix"):
            return  # the param's own error is enough
        matrix = substitute(draft.spec.matrix, matrix_path, self.params, self.errors)
        if matrix.get("order") == "random":
            matrix = {"seed": secrets.randbelow(1 << 32), **matrix}
            self.plan.seeds[full] = matrix["seed"]
        ids: list[StepId] = []
        at_once = matrix.get("max_parallel", 0)
        for cell in expand(matrix, matrix_path, self.errors):
            step = StepId(cell_id(full, cell))
            if step in self.plan.steps:
                self.errors.key(matrix_path, "RF0230", f"the matrix has the cell {step} twice")
                return
            self._add_cell(draft, step, cell, needs, (ids[-at_once],) if 0 < at_once <= len(ids) else ())
            ids.append(step)
        self.plan.groups[full] = tuple(ids)

    def _add_cell(
        self, draft: Draft, step: StepId, matrix: Mapping[str, Any], needs: Sequence[str], after: tuple[StepId, ...]
    ) -> None:
        self._check_condition(draft, matrix)
        before = self.errors.noted
        inputs, deferred = self._inputs(draft, matrix)
        late = {place.path for place in deferred}
        valid = validate(draft.kind.inputs, inputs, (*draft.path, "with"), self.errors, unknown=late)
        cell = Cell(
            step,
            matrix,
            inputs,
            tuple(deferred),
            tuple(self._awaited(draft, matrix, needs)),
            after,
            self.errors.noted == before and (valid is not None or bool(late)),
        )
        if draft.kind.file is not None:
            self.inline(draft, cell)
        else:
            self.plan.steps[step] = self.planned(draft, cell)

    def planned(self, draft: Draft, cell: Cell) -> PlannedStep:
        """Return the step of the plan that a cell is."""
        spec, kind = draft.spec, draft.kind
        needs = cell.needs or ((self.gate,) if self.gate else ())
        upstream = sorted(self.plan.fingerprint(name) for name in needs)  # in whatever order the file has them
        components = {
            "type": f"{spec.uses} {kind.version}",
            "inputs": digest([cell.inputs, cell.matrix, [[list(place.path), place.source] for place in cell.deferred]]),
            "upstream": digest(upstream),
        }
        if spec.foreach is not None:
            components["foreach"] = digest(spec.foreach)
        return PlannedStep(
            id=cell.id,
            name=self.full(draft.name),
            uses=spec.uses,
            inputs=cell.inputs,
            fingerprint=digest(components),
            components=components,
            deferred=cell.deferred,
            needs=needs,
            after=cell.after,
            matrix=cell.matrix,
            condition=draft.condition,
            retry=spec.retry or RetryPolicy(),
            timeout=_of_attempt(spec.timeout),
            deadline=spec.timeout.step if isinstance(spec.timeout, Timeouts) else None,
            claims=tuple(self._claims(draft)),
            on_failure=spec.on_failure,
            inline=kind.step.inline,
            ask=kind.step.on_resume_for(spec.with_) is OnResume.MANUAL,
            revivable=kind.step.revive is not StepType.revive,
            where=self.errors.source.where(draft.path),
            scope=self.scope,
            gate=self.gate,
            foreach=spec.foreach,
        )

    def _claims(self, draft: Draft) -> list[tuple[str, int]]:
        locks = dict.fromkeys((*draft.kind.step.locks, *draft.spec.locks))
        return [
            *((f"lock:{name}", 1) for name in locks),
            *((f"limit:{name}", units) for name, units in units_of(draft.spec.limits)),
        ]

    def _inputs(self, draft: Draft, cell: Mapping[str, Any]) -> tuple[dict[str, Any], list[Deferred]]:
        deferred: list[Deferred] = []
        values = {"params": self.params.known, "matrix": cell}

        def resolve(data: Any, path: Path) -> Any:
            if isinstance(data, dict):
                return {key: resolve(value, (*path, key)) for key, value in data.items()}
            if isinstance(data, list):
                return [resolve(value, (*path, index)) for index, value in enumerate(data)]
            if not is_template(data):
                return data
            place = (*draft.path, "with", *path)
            expressions = draft.templates.get(place)
            if expressions is None or self.params.are_late(expressions):
                deferred.append(Deferred(path, data))
                return None
            try:
                return self._value(draft, place, data, values)
            except ExpressionError as error:
                if not self.errors.knows(place):
                    self.errors.value(place, error.code, str(error), error.hint)
                deferred.append(Deferred(path, data))
                return None

        return resolve(draft.spec.with_, ()), deferred

    def _check_condition(self, draft: Draft, cell: Mapping[str, Any]) -> None:
        """Check that a condition has a value where all that it is about is known."""
        place: Path = (*draft.path, "if")
        known = all(
            not each.calls and all(found.root in ("params", "matrix") for found in each.references)
            for each in draft.templates.get(place, ())
        )
        if place not in draft.templates or not known or self.params.are_late(draft.templates[place]):
            return
        try:
            self._value(draft, place, "${{ " + draft.condition + " }}", {"params": self.params.known, "matrix": cell})
        except ExpressionError as error:
            if not self.errors.knows(place):
                self.errors.value(place, error.code, str(error), error.hint)

    def _value(self, draft: Draft, place: Path, text: str, values: Mapping[str, Any]) -> Any:
        """Return the value of an expression: looked up where it is the same in every cell of the matrix."""
        if place in draft.values:
            return draft.values[place]
        value = evaluate_template(text, values, self.plan.budget)
        if not any(found.root == "matrix" for each in draft.templates[place] for found in each.references):
            draft.values[place] = value
        return value

    def _awaited(self, draft: Draft, cell: Mapping[str, Any], needs: Sequence[str]) -> list[str]:
        """Return what a cell waits for: whole steps, or the single cells that a where() selects."""
        selected: dict[str, set[StepId]] = {}
        whole = set(draft.spec.needs)
        for place, expressions in draft.templates.items():
            for reference in (found for expression in expressions for found in expression.references):
                if reference.root != "steps" or not reference.path or reference.path[0] not in draft.needs:
                    continue
                found = self._select(reference, cell, place)
                if found is None:
                    whole.add(reference.path[0])
                else:
                    selected.setdefault(reference.path[0], set()).add(found)
        result: list[str] = []
        for name in needs:
            result.extend([self.full(name)] if name in whole or name not in selected else sorted(selected[name]))
        return result

    def _select(self, reference: Reference, cell: Mapping[str, Any], place: Path) -> StepId | None:
        """Return the cell that a reference's where() names; None for the whole step, also when that can't be known."""
        ids = self.plan.groups.get(self.full(reference.path[0]))
        if reference.where is None or ids is None:
            return None
        try:
            axes = {
                name: evaluate_node(node, {"params": self.params.known, "matrix": cell})
                for name, node in reference.where
            }
        except ExpressionError:
            return None  # depends on something that only a run knows
        found = select_cells(axes, [self.plan.steps[step].matrix for step in ids])
        if len(found) != 1 and not self.errors.knows(place):
            text = ", ".join(f"{name}={value!r}" for name, value in axes.items())
            self.errors.value(
                place,
                "RF0243",
                f"where({text}) matches {len(found)} cells of {reference.path[0]!r}",
                "it must match exactly one",
            )
        return ids[found[0]] if len(found) == 1 else None


def units_of(limits: Limits) -> list[tuple[str, int]]:
    """Return the limits that a step takes, each with its units."""
    return list(limits.items()) if isinstance(limits, dict) else [(name, 1) for name in dict.fromkeys(limits)]


def _of_attempt(timeout: Duration | Timeouts | None) -> float | None:
    return timeout.attempt if isinstance(timeout, Timeouts) else timeout
