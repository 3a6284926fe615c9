"""Expands a step into its cells: every value that is known put in, the rest deferred, the inputs validated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.draft import Draft, substitute
from rallyflow.compile.matrix import cell_id, expand
from rallyflow.compile.validation import validate
from rallyflow.expressions import (
    Expression,
    ExpressionError,
    Reference,
    evaluate_node,
    evaluate_template,
    is_template,
    select_cells,
)
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Deferred, PlannedStep
from rallyflow.model.step import StepType
from rallyflow.model.workflow import Defaults

_LATE_ROOTS = frozenset({"steps", "secrets", "run"})


@dataclass(slots=True)
class Expansion:
    """The cells made so far, in topological order."""

    params: Mapping[str, Any]
    defaults: Defaults
    errors: Diagnostics
    steps: dict[StepId, PlannedStep] = field(default_factory=dict)
    groups: dict[str, tuple[StepId, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.groups or name in self.steps

    def add(self, draft: Draft, needs: list[str]) -> None:
        """Expand one step whose needs have been expanded before."""
        if draft.spec.matrix is None:
            self._add_cell(draft, StepId(draft.name), {}, needs)
            return
        matrix_path: Path = (*draft.path, "matrix")
        if any(self._uses_missing_param(found) for place, found in draft.templates.items() if place[2] == "matrix"):
            return  # the param's own error is enough
        matrix = substitute(draft.spec.matrix, matrix_path, self.params, self.errors)
        ids: list[StepId] = []
        for cell in expand(matrix, matrix_path, self.errors):
            step = StepId(cell_id(draft.name, cell))
            if step in self.steps:
                self.errors.key(matrix_path, "RF0230", f"the matrix has the cell {step} twice")
                return
            self._add_cell(draft, step, cell, needs)
            ids.append(step)
        self.groups[draft.name] = tuple(ids)

    def _add_cell(self, draft: Draft, step: StepId, cell: Mapping[str, Any], needs: list[str]) -> None:
        inputs, deferred = self._inputs(draft, cell)
        validate(
            draft.type.Inputs,
            inputs,
            (*draft.path, "with"),
            self.errors,
            unknown={place.path for place in deferred},
        )
        awaited = self._awaited(draft, cell, needs)
        mark = self.errors.source.key_mark(draft.path)
        components = _components(draft, [inputs, cell], deferred, [self._fingerprint(name) for name in awaited])
        spec = draft.spec
        self.steps[step] = PlannedStep(
            id=step,
            name=draft.name,
            uses=spec.uses,
            inputs=inputs,
            fingerprint=_digest(components),
            components=components,
            deferred=tuple(deferred),
            needs=tuple(awaited),
            matrix=cell,
            condition=draft.condition,
            retry=spec.retry or self.defaults.retry,
            timeout=spec.timeout if spec.timeout is not None else self.defaults.timeout,
            locks=tuple(dict.fromkeys((*draft.type.locks, *spec.locks))),
            go_on=spec.on_failure == "continue",
            inline=draft.type.inline,
            revivable=draft.type.revive is not StepType.revive,
            where=f"{self.errors.source.name}:{mark.line}:{mark.column}",
        )

    def _uses_missing_param(self, expressions: list[Expression]) -> bool:
        """Whether an expression uses a param that has no value, which has been noted as an error already."""
        return any(
            reference.root == "params" and not {*reference.path[:1]} <= {*self.params}
            for found in expressions
            for reference in found.references
        )

    def _inputs(self, draft: Draft, cell: Mapping[str, Any]) -> tuple[dict[str, Any], list[Deferred]]:
        deferred: list[Deferred] = []
        values = {"params": self.params, "matrix": cell}

        def resolve(data: Any, path: Path) -> Any:
            if isinstance(data, dict):
                return {key: resolve(value, (*path, key)) for key, value in data.items()}
            if isinstance(data, list):
                return [resolve(value, (*path, index)) for index, value in enumerate(data)]
            if not is_template(data):
                return data
            place = (*draft.path, "with", *path)
            expressions = draft.templates.get(place)
            if expressions is None or _is_late(expressions) or self._uses_missing_param(expressions):
                deferred.append(Deferred(path, data))
                return None
            try:
                return evaluate_template(data, values)
            except ExpressionError as error:
                if not self.errors.knows(place):
                    self.errors.value(place, "RF0240", str(error), error.hint)
                deferred.append(Deferred(path, data))
                return None

        return resolve(draft.spec.with_, ()), deferred

    def _awaited(self, draft: Draft, cell: Mapping[str, Any], needs: list[str]) -> list[str]:
        """Return what a cell waits for: whole steps, or the single cells that a where() selects."""
        selected: dict[str, set[StepId]] = {}
        whole = set(draft.spec.needs)
        for place, expressions in draft.templates.items():
            for reference in (found for expression in expressions for found in expression.references):
                if reference.root != "steps" or not reference.path or reference.path[0] not in needs:
                    continue
                found = self._select(reference, cell, place)
                if found is None:
                    whole.add(reference.path[0])
                else:
                    selected.setdefault(reference.path[0], set()).add(found)
        result: list[str] = []
        for name in needs:
            result.extend([name] if name in whole or name not in selected else sorted(selected[name]))
        return result

    def _select(self, reference: Reference, cell: Mapping[str, Any], place: Path) -> StepId | None:
        """Return the cell that a reference's where() names; None for the whole step, also when that can't be known."""
        ids = self.groups.get(reference.path[0])
        if reference.where is None or ids is None:
            return None
        try:
            axes = {
                name: evaluate_node(node, {"params": self.params, "matrix": cell}) for name, node in reference.where
            }
        except ExpressionError:
            return None  # depends on something that only a run knows
        found = select_cells(axes, [self.steps[step].matrix for step in ids])
        if len(found) != 1 and not self.errors.knows(place):
            text = ", ".join(f"{name}={value!r}" for name, value in axes.items())
            self.errors.value(
                place,
                "RF0243",
                f"where({text}) matches {len(found)} cells of {reference.path[0]!r}",
                "it must match exactly one",
            )
        return ids[found[0]] if len(found) == 1 else None

    def _fingerprint(self, name: str) -> str:
        if name in self.groups:
            return _digest([self.steps[step].fingerprint for step in self.groups[name]])
        return self.steps[StepId(name)].fingerprint


def _is_late(expressions: list[Expression]) -> bool:
    return any(reference.root in _LATE_ROOTS for found in expressions for reference in found.references)


def _components(draft: Draft, inputs: Any, deferred: list[Deferred], upstream: list[str]) -> dict[str, str]:
    return {
        "type": f"{draft.spec.uses} {draft.type.version}",
        "inputs": _digest([inputs, [[list(place.path), place.source] for place in deferred]]),
        "upstream": _digest(upstream),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
