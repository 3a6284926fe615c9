"""The attempts of steps, from their events: how each went, and what followed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rallyflow.journal.event import Event
from rallyflow.model.ids import StepId
from rallyflow.model.records import Attempt
from rallyflow.model.states import StepState

KINDS = ("intent", "outcome", "expanded", "interrupted", "retry", "reopened")
"""The kinds of events that attempts are made of."""


def attempts_of(events: Iterable[Event]) -> list[Attempt]:
    """Return the attempts that events tell of, in the order in which they began."""
    found: list[Attempt] = []
    last: dict[StepId, int] = {}  # where the last attempt of a step is
    for event in events:
        if event.kind == "intent":
            last[event.step] = len(found)
            state = StepState.RUNNING
            found.append(Attempt(event.run, event.step, event.attempt, event.time_ns, state))
        elif event.step in last and event.kind in KINDS:
            place = last[event.step]
            found[place] = _after(found[place], event)
    return found


def _after(attempt: Attempt, event: Event) -> Attempt:
    body = event.body
    if event.kind in ("retry", "reopened"):
        return attempt if attempt.again else replace(attempt, again=body.get("reason") or "by `rallyflow resume`")
    if event.kind == "interrupted" and attempt.state is not StepState.RUNNING:
        return attempt  # it had ended, and waited to be tried again
    return replace(
        attempt,
        state=StepState(event.state),
        took_s=body.get("took_s"),
        reason=body.get("reason", ""),
        error=body.get("error") or {},
        cpu_s=body.get("cpu_s", 0.0),
        memory_bytes=body.get("memory_bytes", 0),
    )
