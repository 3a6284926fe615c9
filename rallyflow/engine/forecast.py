"""What a run would do with each step of a plan: run it, keep it, look whether it still answers, or skip it; and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rallyflow.engine.answering import done_steps, is_done
from rallyflow.engine.session import resumed_view
from rallyflow.engine.simulation import Foreseen, simulate
from rallyflow.engine.view import View, new_view
from rallyflow.expressions import ExpressionError, parse
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import StepRecord


class Action(StrEnum):
    """What a run would do with a step."""

    RUN = "run"
    REUSE = "reuse"  # it is done: its outputs are used
    VERIFY = "verify"  # it is done, and what it made is probed before it is used again
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class StepForecast:
    """What a run would do with one step."""

    step: PlannedStep
    action: Action
    why: str
    seconds: float | None  # that it took in earlier runs, in the median; None when there were none
    critical: bool  # the run would end sooner if this step did


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do."""

    steps: tuple[StepForecast, ...]
    seconds: float | None  # in all, when the time of every step that would run is known
    critical: tuple[StepId, ...]


def forecast(
    plan: Plan,
    *,
    workers: int,
    seconds: Mapping[tuple[str, str], float],
    earlier: Sequence[StepRecord] | None = None,
    why: Mapping[StepId, str] | None = None,
) -> Forecast:
    """Return what a new run of a plan would do, or one that goes on from what `earlier` says of its steps.

    `why` says why steps run, where that was decided before. `seconds` is what steps took, by their ids, and by the
    names that the cells of a matrix share.
    """
    known = {step.id: found for step in plan.steps if (found := time_of(step, seconds)) is not None}
    records = {step.id: step for step in earlier or ()}
    done = done_steps(plan, earlier or ())
    timed = all(step.id in known or step.inline or step.id in done for step in plan.steps)
    # without times the chain of most steps is what can be said, whoever is free to run them
    view = _view(plan, earlier, workers if timed else len(plan.steps))
    times = known if timed else {step.id: known.get(step.id, 0.0 if step.inline else 1.0) for step in plan.steps}
    foreseen = simulate(view, times, constants(plan))
    critical, started = frozenset(foreseen.critical), frozenset(foreseen.started)
    steps = []
    for step in plan.steps:
        action, reason = _decision(
            step, foreseen, records.get(step.id), begins=step.id in started, done=step.id in done
        )
        reason = (why or {}).get(step.id, "") if action is Action.RUN and why is not None else reason
        on_path = action is Action.RUN and step.id in critical
        steps.append(StepForecast(step, action, reason, known.get(step.id), on_path))
    return Forecast(tuple(steps), foreseen.seconds if timed else None, foreseen.critical)


def _view(plan: Plan, earlier: Sequence[StepRecord] | None, workers: int) -> View:
    return new_view(plan, workers=workers) if earlier is None else resumed_view(plan, list(earlier), workers)


def _decision(
    step: PlannedStep, foreseen: Foreseen, record: StepRecord | None, *, begins: bool, done: bool
) -> tuple[Action, str]:
    if step.id in foreseen.skipped:
        return Action.SKIP, foreseen.skipped[step.id]
    if record is not None and done:
        if begins:
            return Action.VERIFY, f"it has {record.state}; what it made is probed before it is used again"
        return Action.REUSE, f"it has {record.state}"
    return Action.RUN, _why_run(step, record)


def _why_run(step: PlannedStep, record: StepRecord | None) -> str:
    if record is not None and is_done(step, record.state):
        return "what it needs runs again"
    if record is not None and record.attempt:
        return f"it was {record.state}" + (f": {record.reason}" if record.reason else "")
    if step.foreach is not None:
        return f"for each item of {step.foreach if isinstance(step.foreach, str) else 'a list'}"
    return f"if {step.condition}" if step.condition and step.scope != step.id else ""


def time_of(step: PlannedStep, seconds: Mapping[tuple[str, str], float]) -> float | None:
    """Return what a step took: itself, else the other cells of its matrix."""
    return seconds.get((step.id, step.uses), seconds.get((step.name, step.uses)))


def constants(plan: Plan) -> dict[StepId, bool]:
    """Return the conditions whose value is known before the run."""
    values = ((step.id, _constant(step, plan)) for step in plan.steps if step.condition)
    return {step: value for step, value in values if value is not None}


def _constant(step: PlannedStep, plan: Plan) -> bool | None:
    expression = parse(step.condition)
    if expression.calls or any(found.root not in ("params", "matrix") for found in expression.references):
        return None
    params: Mapping[str, Any] = plan.scopes[step.scope].params if step.scope else plan.params
    try:
        return bool(expression.evaluate({"params": params, "matrix": step.matrix}))
    except ExpressionError:
        return None  # a param that only the run knows
