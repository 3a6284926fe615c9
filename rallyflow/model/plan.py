"""A compiled workflow: every cell of every step, in an order that works, with all that is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rallyflow.model.ids import StepId
from rallyflow.model.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place in a step's inputs whose value is known only when the steps before it have ended."""

    path: tuple[str | int, ...]
    source: str  # the text with its `${{ }}`


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step, or one cell of a matrix step."""

    id: StepId
    name: str  # the key in the file; the cells of a matrix share it
    uses: str
    inputs: Mapping[str, Any]  # with every value that is known; null where one is deferred
    fingerprint: str
    components: Mapping[str, str]  # what the fingerprint is made of, each hashed by itself
    deferred: tuple[Deferred, ...] = ()
    needs: tuple[str, ...] = ()  # ids of steps, or names of matrix steps: all of their cells
    matrix: Mapping[str, Any] = field(default_factory=dict)
    condition: str = ""  # empty: when all that it needs has succeeded
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float | None = None  # seconds, of each attempt
    locks: tuple[str, ...] = ()
    go_on: bool = False  # on_failure: continue
    inline: bool = False
    revivable: bool = False  # leaves something running, which a resumed run has to probe before it uses it
    where: str = ""  # file:line:column


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in topological order, and what belongs to the whole run."""

    name: str
    file: str
    steps: tuple[PlannedStep, ...]
    groups: Mapping[str, tuple[StepId, ...]]  # the cells of each matrix step, in order
    params: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    teardown: str = "always"
    outputs: Mapping[str, Any] = field(default_factory=dict)  # may hold expressions
    description: str = ""

    def step(self, step: str) -> PlannedStep:
        """Return one step by id; KeyError when there is none."""
        return next(planned for planned in self.steps if planned.id == step)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON data."""
    data = {
        name: getattr(plan, name)
        for name in ("name", "file", "params", "secrets", "teardown", "outputs", "description")
    }
    return {
        **data,
        "groups": {name: list(ids) for name, ids in plan.groups.items()},
        "steps": [_step_to_json(step) for step in plan.steps],
    }


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Return the plan that `plan_to_json` gave."""
    return Plan(
        **{
            **data,
            "secrets": tuple(data["secrets"]),
            "groups": {name: tuple(ids) for name, ids in data["groups"].items()},
            "steps": tuple(_step_from_json(step) for step in data["steps"]),
        }
    )


def _step_to_json(step: PlannedStep) -> dict[str, Any]:
    names = (name for name in PlannedStep.__slots__ if name not in ("retry", "deferred"))
    return {
        **{name: getattr(step, name) for name in names},
        "retry": step.retry.model_dump(mode="json"),
        "deferred": [asdict(place) for place in step.deferred],
    }


def _step_from_json(data: Mapping[str, Any]) -> PlannedStep:
    return PlannedStep(
        **{
            **data,
            "retry": RetryPolicy.model_validate(data["retry"]),
            "deferred": tuple(Deferred(tuple(place["path"]), place["source"]) for place in data["deferred"]),
            "needs": tuple(data["needs"]),
            "locks": tuple(data["locks"]),
        }
    )
