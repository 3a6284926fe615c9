"""The core of the engine: `decide(view, event) -> (view, commands)`, pure, and without a scan of the graph.

A `View` is the engine's whole knowledge of a run, made of persistent maps: each decision costs time in proportion to
what it changes, not to the size of the plan.

                    ┌──────────── condition holds ───────────┐
    planned ── all it needs has ended ── judge / by default ─┴─> ready ── worker and locks free ──> running
                                           └── no ──> skipped                                          │
    retrying <── error of a class that its policy names, attempts left ────────────────────────────────┤
    succeeded | failed | errored | inconclusive | cancelled | interrupted <────────────────────────────┘
"""

from __future__ import annotations

from collections import deque

from rallyflow.engine.heap import Heap, pop, push
from rallyflow.engine.messages import (
    Begin,
    Command,
    Delay,
    Ended,
    Event,
    Finish,
    Halt,
    Judge,
    Judged,
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
from rallyflow.model.states import TRANSITIONS, RunState, StepState

_BLAMED = frozenset(
    {StepState.FAILED, StepState.ERRORED, StepState.INCONCLUSIVE, StepState.CANCELLED, StepState.INTERRUPTED}
)


def decide(view: View, event: Event) -> tuple[View, list[Command]]:
    """Return the view after an event, and what is to be done about it, in order."""
    turn = _Turn(view)
    match event:
        case Begin():
            turn.begin()
        case Judged(step, holds, reason):
            turn.judged(step, holds=holds, reason=reason)
        case Ended():
            turn.ended(event)
        case Revived(step, alive):
            turn.revived(step, alive=alive)
        case RetryDue(step):
            turn.retry_due(step)
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
        self.open = view.open
        self.stop = view.stop
        self.commands: list[Command] = []
        self.released: deque[StepId] = deque()

    def begin(self) -> None:
        for step, state in self.view.states.items():
            if state in (StepState.PLANNED, StepState.REVIVING) and self.waiting[step] == 0:
                self.released.append(step)
        order = {step: position for position, step in enumerate(self.graph.steps)}
        self.released = deque(sorted(self.released, key=order.__getitem__))

    def judged(self, step: StepId, *, holds: bool, reason: str) -> None:
        if self.states[step] is not StepState.PLANNED:
            return
        if holds:
            self._make_ready(step)
        else:
            self._settle(step, StepState.SKIPPED, reason or "its condition does not hold")

    def ended(self, event: Ended) -> None:
        step = event.step
        self._free(step)
        planned = self.graph.steps[step]
        attempt = self.attempts[step] - self.view.earlier.get(step, 0)
        again = event.error is not None and event.error in planned.retry.on and attempt < planned.retry.attempts
        if event.state is StepState.ERRORED and again and self.stop is Stop.NO:
            self._move(step, StepState.RETRYING)
            self.commands.append(Delay(step, attempt))
        else:
            self._end(step, event.state)

    def revived(self, step: StepId, *, alive: bool) -> None:
        self._free(step)
        if alive:
            self._end(step, StepState.SUCCEEDED)
            return
        if self.stop is not Stop.NO:
            return  # perhaps nobody looked: the journal has it as finished, and the next session probes again
        self._move(step, StepState.PLANNED)
        self.commands.append(Settle(step, StepState.PLANNED, "what it made is gone"))
        self._make_ready(step)

    def retry_due(self, step: StepId) -> None:
        if self.states[step] is StepState.RETRYING:
            self._make_ready(step)

    def stop_asked(self, stop: Stop) -> None:
        if stop <= self.stop:
            return
        self.stop = stop
        self.commands.extend(Halt(step, stop) for step in self.view.running)
        state = StepState.CANCELLED if stop is Stop.NOW else StepState.INTERRUPTED
        for step, current in self.view.states.items():
            if current is StepState.RETRYING:
                self._settle(step, state, "the run was stopped")

    def finish(self) -> tuple[View, list[Command]]:
        self._look_at_released()
        self._start_what_can()
        if not self.running and (self.open == 0 or self.stop is not Stop.NO):
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
            self.open,
            self.stop,
            self.tally.finish(),
        )
        return view, self.commands

    def _look_at_released(self) -> None:
        while self.released and self.stop is Stop.NO:
            step = self.released.popleft()
            if self.states[step] is StepState.REVIVING:
                self.ready = self._queued(self.ready, step)
            elif self.states[step] is StepState.PLANNED:
                self._consider(step)

    def _consider(self, step: StepId) -> None:
        planned = self.graph.steps[step]
        if planned.condition:
            self.commands.append(Judge(step))
            return
        spoiler = next((need for need in planned.needs if self.spoiled.get(need, 0)), None)
        if spoiler is None:
            self._make_ready(step)
            return
        blamed = bool(self.blamed.get(spoiler, 0))
        self._settle(step, StepState.SKIPPED, f"{spoiler} did not succeed", blamed=blamed)

    def _make_ready(self, step: StepId) -> None:
        self._move(step, StepState.READY)
        self.ready = self._queued(self.ready, step)

    def _start_what_can(self) -> None:
        while self.ready is not None and self.stop is Stop.NO:
            step, rest = pop(self.ready)
            planned = self.graph.steps[step]
            reviving = self.states[step] is StepState.REVIVING
            takes_worker = reviving or not planned.inline
            if takes_worker and self.free == 0:
                return
            self.ready = rest
            taken = next((lock for lock in planned.locks if lock in self.held), None)
            if taken is not None and not reviving:
                self.parked[taken] = self._queued(self.parked.get(taken), step)
                continue
            self.free -= takes_worker
            self.running[step] = takes_worker
            if reviving:
                self.commands.append(Revive(step))
                continue
            for lock in planned.locks:
                self.held[lock] = step
            self._move(step, StepState.RUNNING)
            self.attempts[step] += 1
            self.commands.append(Start(step, self.attempts[step]))

    def _free(self, step: StepId) -> None:
        self.free += self.running.pop(step)
        for lock in self.graph.steps[step].locks:
            if self.held.get(lock) == step:
                del self.held[lock]
        for lock in self.graph.steps[step].locks:
            self._unpark(lock)

    def _unpark(self, lock: str) -> None:
        """Let the first who waits for a free lock go on; whoever also waits for another lock, waits there."""
        waiting = self.parked.pop(lock, None)
        while waiting is not None and lock not in self.held:
            step, waiting = pop(waiting)
            other = next((name for name in self.graph.steps[step].locks if name in self.held), None)
            if other is None:
                self.ready = self._queued(self.ready, step)
                break
            self.parked[other] = self._queued(self.parked.get(other), step)
        if waiting is not None:
            self.parked[lock] = waiting

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

    def _end(self, step: StepId, state: StepState, *, blamed: bool = False) -> None:
        self._move(step, state)
        self.open -= 1
        self.tally[state] = self.tally.get(state, 0) + 1
        for node in self.graph.nodes_of(step):
            if not good(self.graph, step, state):
                self.spoiled[node] = self.spoiled.get(node, 0) + 1
                self.blamed[node] = self.blamed.get(node, 0) + (blamed or state in _BLAMED)
            if node in self.left:
                self.left[node] -= 1
                if self.left[node]:
                    continue
            for dependent in self.graph.dependents.get(node, ()):
                self.waiting[dependent] -= 1
                if self.waiting[dependent] == 0:
                    self.released.append(dependent)

    def _run_state(self) -> RunState:
        if self.stop is Stop.NOW:
            return RunState.CANCELLED
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
