"""The core of the engine: `decide(view, event) -> (view, commands)`, pure, and without a scan of the graph.

A `View` is the engine's whole knowledge of a run, made of persistent maps: each decision costs time in proportion to
what it changes, not to the size of the plan.

                    ┌──────────── condition holds ───────────┐
    planned ── all it needs has ended ── judge / by default ─┴─> ready ── worker and locks free ──> running
                                           └── no ──> skipped                                          │
    retrying <── error of a class that its policy names, attempts left ────────────────────────────────┤
    paused <── asks a person, or failed with on_failure: pause ────────────────────────────────────────┤
    succeeded | failed | errored | inconclusive | cancelled | interrupted <────────────────────────────┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rallyflow.engine.heap import Heap, pop, push
from rallyflow.engine.messages import (
    Answered,
    Begin,
    Command,
    Delay,
    Ended,
    Event,
    Expanded,
    Finish,
    Halt,
    Judge,
    Judged,
    Leave,
    Pause,
    RetryDue,
    Revive,
    Revived,
    Settle,
    Start,
    Stop,
    StopAsked,
)
from rallyflow.engine.view import View, good
from rallyflow.model.ids import StepId
from rallyflow.model.plan import PlannedStep
from rallyflow.model.states import TRANSITIONS, RunState, StepState

_BLAMED = frozenset(
    {StepState.FAILED, StepState.ERRORED, StepState.INCONCLUSIVE, StepState.CANCELLED, StepState.INTERRUPTED}
)

_PAUSING = frozenset({StepState.FAILED, StepState.ERRORED, StepState.INCONCLUSIVE})


def decide(view: View, event: Event) -> tuple[View, list[Command]]:
    """Return the view after an event, and what is to be done about it, in order."""
    turn = _Turn(view)
    match event:
        case Begin():
            turn.begin()
        case Judged():
            turn.judged(event)
        case Ended():
            turn.ended(event)
        case Expanded(step, cells):
            turn.expanded(step, cells)
        case Revived(step, alive):
            turn.revived(step, alive=alive)
        case RetryDue(step):
            turn.retry_due(step)
        case Answered():
            turn.answered(event)
        case StopAsked(stop):
            turn.stop_asked(stop)
    return turn.finish()


class _Turn:
    """One decision: the view's maps opened for change, the commands so far, and the steps to look at next."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.graph = view.graph
        self.states = view.states.mutate()
        self.attempts = view.attempts.mutate()
        self.waiting = view.waiting.mutate()
        self.left = view.left.mutate()
        self.spoiled = view.spoiled.mutate()
        self.blamed = view.blamed.mutate()
        self.parked = view.parked.mutate()
        self.held = view.held.mutate()
        self.running = view.running.mutate()
        self.tally = view.tally.mutate()
        self.ready = view.ready
        self.free = view.free
        self.room = view.room
        self.open = view.open
        self.stop = view.stop
        self.left_out = view.left_out.mutate()
        self.pending = view.pending
        self.commands: list[Command] = []
        self.released: deque[StepId] = deque()

    def begin(self) -> None:
        for step, state in self.view.states.items():
            if state in (StepState.PLANNED, StepState.REVIVING) and self.waiting[step] == 0:
                self.released.append(step)
        order = {step: position for position, step in enumerate(self.graph.steps)}
        self.released = deque(sorted(self.released, key=order.__getitem__))

    def judged(self, event: Judged) -> None:
        step = event.step
        self.pending -= 1
        if self.states[step] is not StepState.PLANNED:
            return
        if event.holds:
            self._make_ready(step)
            return
        if event.broken:
            self._settle(step, StepState.ERRORED, event.reason)
            return
        blamed = next((need for need in self.graph.steps[step].needs if self.blamed.get(need, 0)), None)
        because = f"{blamed} did not succeed" if blamed else "its condition does not hold"
        self._settle(step, StepState.SKIPPED, event.reason or because, blamed=blamed is not None)

    def ended(self, event: Ended) -> None:
        step = event.step
        self._free(step)
        planned = self.graph.steps[step]
        attempt = self.attempts[step] - self.view.earlier.get(step, 0)
        again = event.error is not None and event.error in planned.retry.on and attempt < planned.retry.attempts
        if event.state is StepState.ERRORED and again and not event.last and self.stop is Stop.NO:
            self._move(step, StepState.RETRYING)
            self.pending += 1
            self.commands.append(Delay(step, self.attempts[step]))
        elif event.state is StepState.PAUSED:
            self._pause(step)
        elif planned.on_failure == "pause" and event.state in _PAUSING and self.stop is Stop.NO:
            self._pause(step)
            self.commands.append(Pause(step))
        else:
            self._end(step, event.state)

    def expanded(self, step: StepId, cells: Sequence[PlannedStep]) -> None:
        self.graph = self.graph.expanded(step, cells)
        self.left[step] += len(cells)
        self.open += len(cells)
        for cell in cells:
            self.states[cell.id] = StepState.PLANNED
            self.attempts[cell.id] = 0
            self.waiting[cell.id] = 0
            self.released.append(cell.id)
        self._free(step)
        self._end(step, StepState.SUCCEEDED)

    def revived(self, step: StepId, *, alive: bool | None) -> None:
        self._free(step)
        if alive:
            self._end(step, StepState.SUCCEEDED)
            return
        if self.stop is not Stop.NO:
            return  # perhaps nobody looked: the journal has it as finished, and the next session probes again
        why = "what it made is gone"
        if alive is None:
            if not self._made_anew(step):
                self.tally[StepState.REVIVING] = self.tally.get(StepState.REVIVING, 0) + 1
                self.commands.append(Leave(step))
                return
            why = "what it needs was made anew"
        self._move(step, StepState.PLANNED)
        self.commands.append(Settle(step, StepState.PLANNED, why))
        self._make_ready(step)

    def _made_anew(self, step: StepId) -> bool:
        """Whether something that a step stands on has run in this session; inline steps only pass values on."""
        steps, seen = [step], {step}
        while steps:
            for need in self.graph.steps[steps.pop()].needs:
                for each in self.graph.groups.get(need, (StepId(need),)):
                    if not self.graph.steps[each].inline:
                        if self.attempts[each] > self.view.earlier.get(each, 0):
                            return True
                    elif each not in seen:
                        seen.add(each)
                        steps.append(each)
        return False

    def retry_due(self, step: StepId) -> None:
        if self.states[step] is StepState.RETRYING:
            self.pending -= 1
            self._make_ready(step)

    def answered(self, event: Answered) -> None:
        step = event.step
        if self.states[step] is not StepState.PAUSED or self.stop is not Stop.NO:
            return  # the next session takes the answer up
        self.tally[StepState.PAUSED] -= 1
        if event.failed is not None:
            self.graph = self.graph.replaced(event.failed)
            self._settle(step, StepState.FAILED, event.reason)
            return
        self._move(step, StepState.PLANNED)
        self.commands.append(Settle(step, StepState.PLANNED, "answered"))
        self._make_ready(step)

    def stop_asked(self, stop: Stop) -> None:
        if stop <= self.stop:
            return
        self.stop = stop
        self.commands.extend(Halt(step, stop) for step in self.view.running)
        state = StepState.CANCELLED if stop is Stop.NOW else StepState.INTERRUPTED
        for step, current in self.view.states.items():
            if current is StepState.RETRYING:
                self.pending -= 1
                self._settle(step, state, "the run was stopped")

    def finish(self) -> tuple[View, list[Command]]:
        self._look_at_released()
        self._start_what_can()
        if not self.running and (self.open == 0 or self.stop is not Stop.NO or self._only_waits()):
            self.commands.append(Finish(self._run_state()))
        view = View(
            self.graph,
            self.states.finish(),
            self.attempts.finish(),
            self.view.earlier,
            self.waiting.finish(),
            self.left.finish(),
            self.spoiled.finish(),
            self.blamed.finish(),
            self.ready,
            self.parked.finish(),
            self.held.finish(),
            self.running.finish(),
            self.free,
            self.room,
            self.open,
            self.stop,
            self.tally.finish(),
            self.left_out.finish(),
            self.pending,
        )
        return view, self.commands

    def _only_waits(self) -> bool:
        """Whether nothing can happen any more before a person has answered, or a probe tells more."""
        waits = self.tally.get(StepState.PAUSED, 0) + self.tally.get(StepState.REVIVING, 0)
        return waits > 0 and not self.pending and self.ready is None

    def _look_at_released(self) -> None:
        while self.released and self.stop is Stop.NO:
            step = self.released.popleft()
            if self.states[step] is StepState.REVIVING:
                self.ready = self._queued(self.ready, step)
            elif self.states[step] is StepState.PLANNED:
                self._consider(step)

    def _consider(self, step: StepId) -> None:
        planned = self.graph.steps[step]
        if planned.gate and self._is_closed(planned):
            blamed = bool(self.blamed.get(planned.gate, 0))
            self._settle(step, StepState.SKIPPED, f"{planned.gate} did not succeed", blamed=blamed)
            return
        if planned.condition:
            self.pending += 1
            self.commands.append(Judge(step))
            return
        spoiler = next((need for need in planned.needs if self.spoiled.get(need, 0)), None)
        if spoiler is None:
            self._make_ready(step)
            return
        blamed = bool(self.blamed.get(spoiler, 0))
        self._settle(step, StepState.SKIPPED, f"{spoiler} did not succeed", blamed=blamed)

    def _is_closed(self, planned: PlannedStep) -> bool:
        """Whether the gate before a step lets nothing in; the end of a workflow may go on when its gate has failed."""
        gate = StepId(planned.gate)
        if self.spoiled.get(gate, 0):
            return True
        return planned.scope != planned.id and self.states[gate] is not StepState.SUCCEEDED

    def _make_ready(self, step: StepId) -> None:
        self._move(step, StepState.READY)
        self.ready = self._queued(self.ready, step)

    def _start_what_can(self) -> None:
        while self.ready is not None and self.stop is Stop.NO:
            step, rest = pop(self.ready)
            planned = self.graph.steps[step]
            reviving = self.states[step] is StepState.REVIVING
            takes_worker = reviving or not planned.inline
            if (self.free if takes_worker else self.room) == 0:
                return
            self.ready = rest
            lacking = None if reviving else self._lacking(step)
            if lacking is not None:
                self.parked[lacking] = self._queued(self.parked.get(lacking), step)
                continue
            self.free -= takes_worker
            self.room -= not takes_worker
            self.running[step] = takes_worker
            if reviving:
                self.commands.append(Revive(step))
                continue
            for name, units in planned.claims:
                self.held[name] = self.held.get(name, 0) + units
            self._move(step, StepState.RUNNING)
            self.attempts[step] += 1
            self.commands.append(Start(step, self.attempts[step]))

    def _free(self, step: StepId) -> None:
        took_worker = self.running.pop(step)
        self.free += took_worker
        self.room += not took_worker
        if self.states[step] is not StepState.RUNNING:
            return  # a revival takes no locks
        for name, units in self.graph.steps[step].claims:
            self.held[name] -= units
        for name, _ in self.graph.steps[step].claims:
            self._unpark(name)

    def _lacking(self, step: StepId, but: str = "") -> str | None:
        """Return the first lock or limit that a step has to wait for: too little is free, or others were first."""
        position = self.graph.position[step]
        for name, units in self.graph.steps[step].claims:
            if name == but:
                continue
            waiting = self.parked.get(name)
            behind = waiting is not None and waiting.position < position
            if behind or units > self.graph.free(name, self.held):
                return name
        return None

    def _unpark(self, name: str) -> None:
        """Let those who wait for free units go on, in their order; whoever also waits for others, waits there."""
        waiting = self.parked.pop(name, None)
        free = self.graph.free(name, self.held)
        while waiting is not None and free > 0:
            step, rest = pop(waiting)
            units = dict(self.graph.steps[step].claims)[name]
            if units > free:
                break
            waiting = rest
            other = self._lacking(step, but=name)
            if other is None:
                free -= units
                self.ready = self._queued(self.ready, step)
            else:
                self.parked[other] = self._queued(self.parked.get(other), step)
        if waiting is not None:
            self.parked[name] = waiting

    def _queued(self, heap: Heap | None, step: StepId) -> Heap:
        return push(heap, self.graph.position[step], step)

    def _move(self, step: StepId, state: StepState) -> None:
        before = self.states[step]
        if state not in TRANSITIONS[before]:
            raise AssertionError(f"{step}: {before} -> {state} is not a transition")
        self.states[step] = state

    def _settle(self, step: StepId, state: StepState, reason: str, *, blamed: bool = False) -> None:
        self.commands.append(Settle(step, state, reason))
        self._end(step, state, blamed=blamed)

    def _pause(self, step: StepId) -> None:
        """Leave a step, and all that needs it, until a person has answered."""
        self._move(step, StepState.PAUSED)
        self.tally[StepState.PAUSED] = self.tally.get(StepState.PAUSED, 0) + 1

    def _end(self, step: StepId, state: StepState, *, blamed: bool = False) -> None:
        self._move(step, state)
        self.open -= 1
        self.tally[state] = self.tally.get(state, 0) + 1
        for node in self.graph.nodes_of(step):
            if node != step and state is StepState.SKIPPED and not blamed:
                self.left_out[node] = self.left_out.get(node, 0) + 1
            elif not good(self.graph, step, state):
                self.spoiled[node] = self.spoiled.get(node, 0) + 1
                self.blamed[node] = self.blamed.get(node, 0) + (blamed or state in _BLAMED)
            if node in self.left:
                self.left[node] -= 1
                if self.left[node]:
                    continue
                if self.left_out.get(node, 0) == len(self.graph.groups.get(node, ())) > 0:
                    self.spoiled[node] = self.spoiled.get(node, 0) + 1  # left out as a whole
            for dependent in self.graph.dependents.get(node, ()):
                self.waiting[dependent] -= 1
                if self.waiting[dependent] == 0:
                    self.released.append(dependent)

    def _run_state(self) -> RunState:
        if self.stop is Stop.NOW:
            return RunState.CANCELLED
        if self.tally.get(StepState.PAUSED, 0) and self.stop is Stop.NO:
            return RunState.PAUSED
        if self.open or self.tally.get(StepState.INTERRUPTED, 0):
            return RunState.INTERRUPTED
        for step_state, run_state in (
            (StepState.ERRORED, RunState.ERRORED),
            (StepState.CANCELLED, RunState.CANCELLED),
            (StepState.FAILED, RunState.FAILED),
            (StepState.INCONCLUSIVE, RunState.INCONCLUSIVE),
        ):
            if self.tally.get(step_state, 0):
                return run_state
        return RunState.SUCCEEDED
