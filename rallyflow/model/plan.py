"""A compiled workflow: every cell of every step, in an order that works, with all that is known beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rallyflow.model.ids import StepId
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.secret import SecretSource
from rallyflow.model.workflow import OnFailure

_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Deferred:
    """A place in a step's inputs whose value is known only when the steps before it have ended."""

    path: tuple[str | int, ...]
    source: str  # the text with its `${{ }}`


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step, or one cell of a matrix step."""

    id: StepId
    name: str  # what the cells of a matrix share: the key in the file, after the scope's id
    uses: str
    inputs: Mapping[str, Any]  # with every value that is known; null where one is deferred
    fingerprint: str
    components: Mapping[str, str]  # what the fingerprint is made of, each hashed by itself
    deferred: tuple[Deferred, ...] = ()
    needs: tuple[str, ...] = ()  # ids of steps, or names of groups: all of their cells
    after: tuple[StepId, ...] = ()  # steps that only have to have ended, however: it uses nothing of them
    matrix: Mapping[str, Any] = field(default_factory=dict)
    condition: str = ""  # empty: when all that it needs has succeeded
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: float | None = None  # seconds, of each attempt
    deadline: float | None = None  # seconds, of all attempts in one session
    claims: tuple[tuple[str, int], ...] = ()  # of locks and limits, with units: `lock:load`, `limit:api`
    on_failure: OnFailure = "stop"
    inline: bool = False
    ask: bool = False  # a person decides whether it runs again when its engine died in the middle of an attempt
    revivable: bool = False  # leaves something running, which a resumed run has to probe before it uses it
    where: str = ""  # file:line:column
    scope: str = ""  # the workflow step that it is inside of, by id; empty at the top
    gate: str = ""  # the step that has to succeed before anything of its scope happens, whatever its own condition
    foreach: Any = None  # a list, or the expression of one, that becomes steps at run time: this one only expands
    item: Any = None  # for one of those steps: its item

    @property
    def locks(self) -> tuple[str, ...]:
        """The names of the locks that it holds while it runs, also across runs."""
        return tuple(name.removeprefix("lock:") for name, _ in self.claims if name.startswith("lock:"))

    @property
    def go_on(self) -> bool:
        """Whether the steps that need it run all the same when it fails."""
        return self.on_failure == "continue"


@dataclass(frozen=True, slots=True)
class Scope:
    """A workflow that is a step of another: what the names in its expressions mean."""

    id: str  # of its step
    file: str
    name: str
    gate: StepId  # its outputs have the params that only a run knows
    params: Mapping[str, Any]  # the others


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in topological order, and what belongs to the whole run."""

    name: str
    file: str
    steps: tuple[PlannedStep, ...]
    groups: Mapping[str, tuple[StepId, ...]]  # the cells of each matrix step, in order
    params: Mapping[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()  # names of the params that do not have their default, but were given
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    teardown: str = "always"
    ttl: float | None = None  # seconds that what the run makes outside may live; None is for ever
    outputs: Mapping[str, Any] = field(default_factory=dict)  # may hold expressions
    description: str = ""
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)  # units in all
    files: Mapping[str, str] = field(
        default_factory=dict
    )  # every file it was made from, with the sha256 of its content
    seeds: Mapping[str, int | str] = field(default_factory=dict)  # of matrix steps in random order

    def step(self, step: str) -> PlannedStep:
        """Return one step by id; KeyError when there is none."""
        for planned in self.steps:
            if planned.id == step:
                return planned
        raise KeyError(step)

    def expanded(self, parent: PlannedStep, items: Sequence[Any]) -> Plan:
        """Return the plan with the steps that a foreach step has become, right behind it."""
        cells = foreach_cells(parent, items)
        position = self.steps.index(parent) + 1
        steps = (*self.steps[:position], *cells, *self.steps[position:])
        groups = {**self.groups, parent.id: tuple(cell.id for cell in cells)}
        return replace(self, steps=steps, groups=groups)


def foreach_cells(parent: PlannedStep, items: Sequence[Any]) -> list[PlannedStep]:
    """Return the steps that a foreach step becomes: one for each item, with ids that people can read."""
    return [
        replace(
            parent,
            id=StepId(f"{parent.id}[item={_text(label)}]"),
            foreach=None,
            item=item,
            matrix={**parent.matrix, "item": label},
            fingerprint=digest([parent.fingerprint, item]),
            components={**parent.components, "item": digest(item)},
        )
        for item, label in zip(items, _labels(items), strict=True)
    ]


def _labels(items: Sequence[Any]) -> Sequence[Any]:
    """Return what names each item: the item itself, or its name; its number where that would not be unique."""
    labels = [item.get("name") if isinstance(item, Mapping) else item for item in items]
    plain = all(isinstance(label, str | int | float | bool) and len(str(label)) <= _LONGEST_LABEL for label in labels)
    return labels if plain and len({_text(label) for label in labels}) == len(labels) else range(len(items))


def _text(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def digest(value: Any) -> str:
    """Return sixteen characters that change when plain data changes."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


_PLAIN = ("name", "file", "params", "given", "teardown", "ttl", "outputs", "description", "limits", "files", "seeds")


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON data."""
    return {
        **{name: getattr(plan, name) for name in _PLAIN},
        "secrets": {name: source.model_dump(mode="json") for name, source in plan.secrets.items()},
        "scopes": {name: asdict(scope) for name, scope in plan.scopes.items()},
        "groups": {name: list(ids) for name, ids in plan.groups.items()},
        "steps": [_step_to_json(step) for step in plan.steps],
    }


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Return the plan that `plan_to_json` gave; KeyError, TypeError or ValueError for anything else."""
    return Plan(
        **{
            **data,
            "given": tuple(data.get("given", ())),
            "secrets": {name: SecretSource.model_validate(source) for name, source in data["secrets"].items()},
            "scopes": {name: Scope(**scope) for name, scope in data["scopes"].items()},
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
            "after": tuple(data.get("after", ())),
            "claims": tuple((name, units) for name, units in data["claims"]),
        }
    )
