"""Asks every step of a plan, before anything is made, whether this machine can do it."""

from __future__ import annotations

from collections.abc import Iterator

from rallyflow import plugins
from rallyflow.model.fitness import Check, Health
from rallyflow.model.plan import Plan, PlannedStep


def checks(plan: Plan) -> Iterator[Check]:
    """Yield what the steps need of this machine and how it is, each once; raises nothing, whatever is wrong."""
    seen: set[tuple[str, str, str]] = set()
    for step in plan.steps:
        for check in _of(step):
            key = (step.name, check.name, check.text)  # the cells of a matrix mostly need the same
            if key not in seen:
                seen.add(key)
                yield Check(f"{step.name}: {check.name}", check.state, check.text, check.hint)


def _of(step: PlannedStep) -> Iterator[Check]:
    try:
        yield from plugins.step_type(step.uses).examine(step.inputs)
    except Exception as error:  # noqa: BLE001 - a doctor who faints helps nobody
        yield Check("look", Health.FAIL, f"{type(error).__name__}: {error}")
