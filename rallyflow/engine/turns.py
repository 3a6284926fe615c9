"""Keeps the cells of a `max_parallel` matrix in turn when a resumed run has some of them behind it already.

In a plan a cell comes after the one that many before it. When that one is done, but one before that has to be done
again, the cell comes after this one; and what is open inside a workflow whose gate is done comes after what its gate
came after.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep


def in_turn(plan: Plan, settled: Collection[StepId]) -> Plan:
    """Return the plan with steps that come after others of which none is settled."""
    if not settled or not any(step.after for step in plan.steps):
        return plan
    steps = {step.id: step for step in plan.steps}
    found: dict[StepId, tuple[StepId, ...]] = {}
    for step in plan.steps:  # in their order: those that a step comes after have been seen before it
        own = (*step.after, *_around(step, steps, settled))
        found[step.id] = tuple(dict.fromkeys(_open(own, found, settled)))
    return replace(
        plan, steps=tuple(replace(step, after=() if step.id in settled else found[step.id]) for step in plan.steps)
    )


def _around(step: PlannedStep, steps: Mapping[StepId, PlannedStep], settled: Collection[StepId]) -> Iterator[StepId]:
    """Give what the workflows that a step is inside of come after, as far as their gates are done."""
    while step.gate and StepId(step.gate) in settled and step.gate in steps:
        step = steps[StepId(step.gate)]
        yield from step.after


def _open(
    after: Collection[StepId], found: Mapping[StepId, tuple[StepId, ...]], settled: Collection[StepId]
) -> Iterator[StepId]:
    for each in after:
        if each in settled:
            yield from found.get(each, ())
        else:
            yield each
