"""The two steps around those of a workflow that is used as a step: the gate before them, and their end.

    outer needs -> measure/(start) -> measure/boot, measure/report, ... -> measure -> outer dependents

The gate has the condition of the step, and its outputs are the params that only a run knows. The end has the outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rallyflow.compile.cells import Cell, Growing
from rallyflow.compile.draft import templates_in
from rallyflow.compile.kinds import WORKFLOW
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Deferred, PlannedStep, digest
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.workflow import OnFailure, Param


def split_params(cell: Cell) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the params that are given now, and the names of those that only a run knows."""
    late = frozenset(_late(cell))
    return {name: value for name, value in cell.inputs.items() if name not in late}, late


def gate_of(planned: PlannedStep, cell: Cell, specs: Mapping[str, Param]) -> PlannedStep:
    """Return the step that has to succeed before anything inside happens."""
    late = _late(cell)
    name = f"{cell.id}/(start)"
    return replace(
        planned,
        id=StepId(name),
        name=name,
        uses=WORKFLOW,
        inputs={
            "values": {param: cell.inputs[param] for param in late},
            "types": {param: specs[param].model_dump(mode="json") for param in late if param in specs},
        },
        deferred=tuple(Deferred(("values", *found.path), found.source) for found in cell.deferred),
        retry=RetryPolicy(),
        on_failure=_on_failure(planned),
        inline=True,
    )


def end_of(
    planned: PlannedStep, gate: PlannedStep, inside: Sequence[str], outputs: Mapping[str, Any], plan: Growing
) -> PlannedStep:
    """Return the step that ends when all inside has, and gives the outputs of the workflow.

    It is skipped when something inside went wrong, so that what needs it is as well; a step that was merely left out
    inside does no harm.
    """
    needs = (gate.id, *inside)
    found = tuple(Deferred(("values", *place), text) for place, text in templates_in(outputs, ()))
    return replace(
        planned,
        uses=WORKFLOW,
        inputs={"values": outputs, "types": {}},
        deferred=found,
        needs=needs,
        condition="always()" if planned.go_on else "not failure()",
        components={**planned.components, "upstream": digest(sorted(plan.fingerprint(name) for name in needs))},
        fingerprint=digest([planned.fingerprint, sorted(plan.fingerprint(name) for name in needs)]),
        retry=RetryPolicy(),
        on_failure=_on_failure(planned),
        inline=True,
        scope=planned.id,
        gate=gate.id,
    )


def _on_failure(planned: PlannedStep) -> OnFailure:
    """Return what a failure of the whole means: `pause`, which only defaults can say of it, is for the steps inside."""
    return "continue" if planned.go_on else "stop"


def _late(cell: Cell) -> list[str]:
    return list(dict.fromkeys(str(found.path[0]) for found in cell.deferred if found.path))
