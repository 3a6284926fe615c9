"""How long what is left of a run takes, when its steps take what they took in earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rallyflow.engine.forecast import constants, time_of
from rallyflow.engine.simulation import simulate
from rallyflow.engine.view import new_view
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.states import StepState


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a step stands, and when its last attempt began (nanoseconds since the epoch, UTC; 0 for never)."""

    state: StepState
    started_ns: int = 0


_BEGUN = frozenset({StepState.READY, StepState.RUNNING, StepState.RETRYING})


def seconds_left(
    plan: Plan,
    standing: Mapping[StepId, Standing],
    *,
    workers: int,
    seconds: Mapping[tuple[str, str], float],
    now_ns: int,
) -> float | None:
    """Return the seconds until the last step of a run ends; None when something that is left was never timed.

    `plan` has the steps of foreach steps that have been expanded; `seconds` is what steps took, as `durations` of the
    journal's reader gives it. A step that runs already takes the rest of its time, and none when it is over that. What
    is left is run in thought by the engine's own core, with workers, locks and limits: some 30 us for each open step.
    Waiting for a retry, and the removal of what the run made, are not counted.
    """
    if any(each.state is StepState.PAUSED for each in standing.values()):
        return None  # a person takes as long as it takes
    done = {step: each.state for step, each in standing.items() if _is_over(each.state)}
    times = {step.id: _rest(step, standing.get(step.id), seconds, now_ns) for step in plan.steps}
    known = {step: time for step, time in times.items() if time is not None}
    foreseen = simulate(new_view(plan, workers=workers, done=done), known, constants(plan) | _judged(standing))
    return foreseen.seconds if known.keys() >= set(foreseen.started) else None


def _is_over(state: StepState) -> bool:
    """Whether a step has ended; one that was skipped is skipped again, in thought, so that its dependents hear why."""
    return state.ended and state is not StepState.SKIPPED


def _judged(standing: Mapping[StepId, Standing]) -> dict[StepId, bool]:
    """Return the conditions of which the run has shown the value."""
    judged = (*_BEGUN, StepState.SKIPPED)
    return {step: each.state is not StepState.SKIPPED for step, each in standing.items() if each.state in judged}


def _rest(
    step: PlannedStep, standing: Standing | None, seconds: Mapping[tuple[str, str], float], now_ns: int
) -> float | None:
    """Return how long a step still takes; None when that is not known."""
    if step.foreach is not None:
        return None  # nobody knows how many steps it becomes
    took = time_of(step, seconds)
    if took is None:
        return 0.0 if step.inline else None
    if standing is None or standing.state is not StepState.RUNNING:
        return took
    return max(0.0, took - (now_ns - standing.started_ns) / 1e9)
