"""The engine's whole knowledge of a run, made of persistent maps: a new view shares all that did not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from immutables import Map

from rallyflow.engine.heap import Heap
from rallyflow.engine.messages import Stop
from rallyflow.engine.turns import in_turn
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.states import StepState

INLINE = 200
"""Inline steps that are started at a time: they share a commit, and who stops the run waits for no more than these."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What never changes during a run."""

    steps: Mapping[StepId, PlannedStep]
    dependents: Mapping[str, tuple[StepId, ...]]  # by id of a step, or name of a matrix step
    groups: Mapping[str, tuple[StepId, ...]]
    position: Mapping[StepId, float]  # in the plan: of the steps that could start, the first one does
    capacities: Mapping[str, int]  # units of limits; a lock has one

    @classmethod
    def of(cls, plan: Plan) -> Graph:
        """Return the graph of a plan."""
        dependents: dict[str, list[StepId]] = {}
        for step in plan.steps:
            for need in (*step.needs, *step.after):
                dependents.setdefault(need, []).append(step.id)
        return cls(
            {step.id: step for step in plan.steps},
            {need: tuple(ids) for need, ids in dependents.items()},
            plan.groups,
            {step.id: float(position) for position, step in enumerate(plan.steps)},
            {f"limit:{name}": units for name, units in plan.limits.items()},
        )

    def expanded(self, parent: StepId, cells: Sequence[PlannedStep]) -> Graph:
        """Return the graph with the steps that a foreach step has become, right behind it."""
        first = self.position[parent]
        position = {cell.id: first + (number + 1) / (len(cells) + 1) for number, cell in enumerate(cells)}
        return replace(
            self,
            steps={**self.steps, **{cell.id: cell for cell in cells}},
            groups={**self.groups, parent: tuple(cell.id for cell in cells)},
            position={**self.position, **position},
        )

    def replaced(self, step: PlannedStep) -> Graph:
        """Return the graph with another step in the place of the one that has its id."""
        return replace(self, steps={**self.steps, step.id: step})

    def free(self, claim: str, held: Mapping[str, int]) -> int:
        """Return how many units of a lock or limit nobody has."""
        return self.capacities.get(claim, 1) - held.get(claim, 0)

    def nodes_of(self, step: StepId) -> tuple[str, ...]:
        """Return what dependents may call a step: its id, and the name of its matrix step."""
        name = self.steps[step].name
        return (step,) if name == step else (step, name)


@dataclass(frozen=True, slots=True)
class View:
    """All that the engine knows about a run."""

    graph: Graph
    states: Map[StepId, StepState]
    attempts: Map[StepId, int]
    earlier: Mapping[StepId, int]  # how many of those were in earlier sessions: they don't count as retries
    waiting: Map[StepId, int]  # how many of what it needs, and comes after, are still open
    left: Map[str, int]  # how many cells of a matrix step are still open
    spoiled: Map[str, int]  # by node: how many of its steps did not succeed
    blamed: Map[str, int]  # by node: how many of those because something went wrong
    ready: Heap | None
    parked: Map[str, Heap]  # by lock or limit: who waits for it
    held: Map[str, int]  # by lock or limit: units taken
    running: Map[StepId, bool]
    free: int  # workers
    room: int  # inline steps that may start beside those that have
    open: int  # steps that have not ended
    stop: Stop = Stop.NO
    tally: Map[StepState, int] = field(default_factory=Map)
    left_out: Map[str, int] = field(default_factory=Map)  # by group: cells whose own condition did not hold
    pending: int = 0  # steps that something outside will tell of: a condition that is evaluated, a delay


def new_view(
    plan: Plan,
    *,
    workers: int,
    done: Mapping[StepId, StepState] | None = None,
    attempts: Mapping[StepId, int] | None = None,
    revive: frozenset[StepId] = frozenset(),
    paused: frozenset[StepId] = frozenset(),
) -> View:
    """Return the view of a run before `Begin`.

    `done` are the steps that stay as an earlier session left them; of these, `revive` are probed before they count.
    `paused` wait for the answer of a person.
    """
    done = done or {}
    settled = {step: state for step, state in done.items() if step not in revive}
    plan = in_turn(plan, settled)
    graph = Graph.of(plan)
    closed_nodes = _closed(plan, settled)
    spoiled = _count(graph, {step: state for step, state in settled.items() if not good(graph, step, state)})
    return View(
        graph=graph,
        states=Map(
            {
                **dict.fromkeys((step.id for step in plan.steps), StepState.PLANNED),
                **settled,
                **dict.fromkeys(revive, StepState.REVIVING),
                **dict.fromkeys(paused, StepState.PAUSED),
            }
        ),
        attempts=Map({step.id: (attempts or {}).get(step.id, 0) for step in plan.steps}),
        earlier=dict(attempts or {}),
        waiting=Map(
            {step.id: sum(need not in closed_nodes for need in (*step.needs, *step.after)) for step in plan.steps}
        ),
        left=Map(_left(plan, settled)),
        spoiled=Map(spoiled),
        blamed=Map(spoiled),
        ready=None,
        parked=Map(),
        held=Map(),
        running=Map(),
        free=workers,
        room=INLINE,
        open=len(plan.steps) - len(settled),
        tally=Map(_tally({**settled, **dict.fromkeys(paused, StepState.PAUSED)})),
    )


def succeeded(view: View, step: StepId) -> bool:
    """What `success()` is in the condition of a step: all that it needs has succeeded."""
    return not any(view.spoiled.get(need, 0) for need in view.graph.steps[step].needs)


def failed(view: View, step: StepId) -> bool:
    """What `failure()` is in the condition of a step: something went wrong in or before what it needs."""
    return any(view.blamed.get(need, 0) for need in view.graph.steps[step].needs)


def good(graph: Graph, step: StepId, state: StepState) -> bool:
    """Whether the end of a step lets those that need it run."""
    return state is StepState.SUCCEEDED or (graph.steps[step].go_on and state is not StepState.SKIPPED)


def _left(plan: Plan, settled: Mapping[StepId, StepState]) -> dict[str, int]:
    """Return how many cells of each group are open; a foreach step counts as one of its own cells."""
    left = {name: sum(step not in settled for step in ids) for name, ids in plan.groups.items()}
    for step in plan.steps:
        if step.foreach is not None:
            left[step.id] = left.get(step.id, 0) + (step.id not in settled)
    return left


def _closed(plan: Plan, settled: Mapping[StepId, StepState]) -> set[str]:
    left = _left(plan, settled)
    return {*(name for name, count in left.items() if not count), *(step for step in settled if step not in left)}


def _count(graph: Graph, spoiling: Mapping[StepId, StepState]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for step in spoiling:
        for node in graph.nodes_of(step):
            counts[node] = counts.get(node, 0) + 1
    return counts


def _tally(states: Mapping[StepId, StepState]) -> dict[StepState, int]:
    tally: dict[StepState, int] = {}
    for state in states.values():
        tally[state] = tally.get(state, 0) + 1
    return tally
