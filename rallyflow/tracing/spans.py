"""Makes spans of the events of a run: one for each of its sessions, and in it one for each attempt of a step.

The first session is the root of the trace, and the later ones are its children. A session that was killed, and what was
in flight in it, ends with the last event that it had; it is known to have ended when the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rallyflow.journal.event import Event
from rallyflow.model.ids import StepId
from rallyflow.model.states import StepState
from rallyflow.tracing.ids import attempt_span_id, session_span_id, trace_id

_OVER = frozenset(state for state in StepState if state is not StepState.RUNNING)
_GOOD = frozenset({"succeeded", "skipped"})
_BEGINNINGS = frozenset({"run_created", "run_resumed"})


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it is exported. Times are nanoseconds since the epoch, UTC."""

    name: str
    trace: int
    id: int
    parent: int  # 0 for the root
    started_ns: int
    ended_ns: int
    state: str
    why: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return self.state in _GOOD


class Spans:
    """What is open of a run, and becomes spans."""

    def __init__(self, run: str, name: str) -> None:
        """Begin before the first event of a run of a workflow of a name."""
        self._run = run
        self._name = name
        self._sessions = 0
        self._session: Event | None = None
        self._attempts: dict[StepId, Event] = {}
        self._last_ns = 0  # when the open session gave the last sign of life

    def after(self, event: Event) -> Iterator[Span]:
        """Give the spans that an event ends; all events are to come, in their order."""
        if event.kind in _BEGINNINGS:
            yield from self._cut_off()
            self._session = event
            self._sessions += 1
        elif event.kind == "run_ended":
            yield from self._session_over(event.state, event.time_ns)
        elif event.state == StepState.RUNNING:
            self._attempts[event.step] = event
        elif event.state in _OVER and event.step in self._attempts:
            yield self._attempt_over(self._attempts.pop(event.step), event)
        self._last_ns = event.time_ns

    def _cut_off(self) -> Iterator[Span]:
        """Give the spans of a session that nothing has ended."""
        for intent in self._attempts.values():
            end = Event("interrupted", intent.run, intent.step, intent.attempt, "interrupted", self._last_ns)
            yield self._attempt_over(intent, end)
        self._attempts.clear()
        yield from self._session_over("interrupted", self._last_ns)

    def _session_over(self, state: str, ended_ns: int) -> Iterator[Span]:
        if self._session is None:
            return
        number, started_ns = self._sessions, self._session.time_ns
        self._session = None
        yield Span(
            name=f"rallyflow {self._name}",
            trace=trace_id(self._run),
            id=session_span_id(self._run, number),
            parent=session_span_id(self._run, 1) if number > 1 else 0,
            started_ns=started_ns,
            ended_ns=ended_ns,
            state=state,
            attributes={
                "rallyflow.run": self._run,
                "rallyflow.workflow": self._name,
                "rallyflow.session": number,
                "rallyflow.state": state,
            },
        )

    def _attempt_over(self, intent: Event, end: Event) -> Span:
        error = end.body.get("error") or {}
        measured = {
            "rallyflow.cpu_s": end.body.get("cpu_s"),
            "rallyflow.memory_bytes": end.body.get("memory_bytes"),
            "rallyflow.error.code": error.get("code"),
            "error.type": error.get("code"),
        }
        return Span(
            name=intent.step,
            trace=trace_id(self._run),
            id=attempt_span_id(self._run, intent.step, intent.attempt),
            parent=session_span_id(self._run, self._sessions),
            started_ns=intent.time_ns,
            ended_ns=max(end.time_ns, intent.time_ns),
            state=end.state,
            why=str(error.get("what") or end.body.get("reason") or ""),
            attributes={
                "rallyflow.run": self._run,
                "rallyflow.step": intent.step,
                "rallyflow.attempt": intent.attempt,
                "rallyflow.state": end.state,
                **{name: value for name, value in measured.items() if value is not None},
            },
        )
