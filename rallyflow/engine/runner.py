"""The shell around the core: journals what was decided, starts and stops attempts, and tells the core what happened.

An intent is on the disk before its attempt starts, and an outcome before its dependents do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from threading import Event as Flag
from typing import Any

from rallyflow.engine import attempt as attempts
from rallyflow.engine.answering import answer_of, runs_again, verdict, with_answer
from rallyflow.engine.attempt import Result, Task
from rallyflow.engine.control import STOP_ASKED, Control
from rallyflow.engine.deaths import result_of
from rallyflow.engine.decide import decide
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
from rallyflow.engine.outcomes import expanded_body, masked, outcome_body, without_time
from rallyflow.engine.pool import SILENT, Died, Pool
from rallyflow.engine.retrying import delay_before_next
from rallyflow.engine.serving import Locks
from rallyflow.engine.signals import Signals
from rallyflow.engine.surroundings import Known, Listener, Place
from rallyflow.engine.timekeeping import Timekeeper
from rallyflow.engine.values import Values
from rallyflow.engine.view import View, failed, succeeded
from rallyflow.engine.vitals import Beat, Vitals
from rallyflow.errors import (
    DiskFull,
    ErrorClass,
    InputsInvalid,
    JournalGone,
    NotProbed,
    StorageError,
)
from rallyflow.journal import event as journal_event
from rallyflow.journal.books import ProgressBook
from rallyflow.journal.leases import Leases
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.masking import Mask
from rallyflow.model.ids import StepId, step_slug
from rallyflow.model.plan import PlannedStep, foreach_cells
from rallyflow.model.states import RunState, StepState
from rallyflow.model.step import Answer, Progress
from rallyflow.units import format_duration

_BATCH = 200  # records that may share one commit: only inline steps, which do nothing outside, have so many at once

_PROBES = 2  # how often a thing is looked at in one session while nobody can tell whether it is alive
_LOOK = 0.4
"""Seconds between two looks at what other processes ask for, and at how the attempts are."""


class Runner:
    """Runs one plan in one session."""

    def __init__(
        self,
        view: View,
        values: Values,
        journal: Journal,
        place: Place,
        listener: Listener,
        signals: Signals,
        known: Known,
    ) -> None:
        """Take everything that a session has prepared; nothing happens before `run`."""
        self._view = view
        self._values = values
        self._mask = Mask(values.secrets)
        self._journal = journal
        self._place = place
        self._listener = listener
        self._signals = signals
        self._answers = dict(known.answers)
        self._known = known
        self._pool = Pool(place.directory)
        self._times = Timekeeper()
        self._control = Control(JournalReader(journal, place.home), place.run, listener.happened)
        self._quick = Journal(place.journal, durable=False)  # for what is of no use after the power has failed
        self._vitals = Vitals(ProgressBook(self._quick, place.run))
        self._leases = Leases(self._quick, place.run)
        self._locks = Locks(self._leases)
        self._errors: dict[StepId, Mapping[str, Any]] = {}  # of the last attempt of steps that have one
        self._looked = time.monotonic()
        self._records: list[journal_event.Event] = []
        self._tasks: list[Task] = []
        self._finished: RunState | None = None
        self._storage: DiskFull | None = None
        self._probes: Counter[StepId] = Counter()
        self.unprobed: NotProbed | None = None  # the first of what could not be looked at

    @property
    def _steps(self) -> Mapping[StepId, PlannedStep]:
        return self._view.graph.steps

    def run(self) -> RunState:
        """Run until every step has ended or the run was stopped; raises DiskFull when nothing can be written."""
        try:
            self._turn([Begin()])
            while self._finished is None:
                self._turn(self._await())
        finally:
            self._pool.close()
            self._leave_no_trace()
        if self._storage is not None:
            raise self._storage
        return self._finished

    def _leave_no_trace(self) -> None:
        """Take back what is of interest only while the session goes on; where that fails, nothing comes of it."""
        with contextlib.suppress(StorageError):
            self._vitals.close()
            self._leases.release_all()
        self._quick.close()

    def _turn(self, events: Sequence[Event]) -> None:
        """Decide about events and do what follows, in batches that share one commit."""
        queue = deque(events)
        while queue or self._records or self._tasks:
            while queue and len(self._records) < _BATCH:
                self._view, commands = decide(self._view, queue.popleft())
                for command in commands:
                    queue.extend(self._obey(command))
            self._commit()
            queue.extendleft(self._asked())  # a chain of inline steps may be long, and so may be a fan-out

    def _commit(self) -> None:
        records, tasks = self._records, self._tasks
        self._records, self._tasks = [], []
        if records:
            self._journal.record(records)
        for task in tasks:
            self._pool.start(task)
            self._vitals.started(task.step, task.attempt)
        for record in records:
            self._listener.happened(record)

    def _obey(self, command: Command) -> Sequence[Event]:
        match command:
            case Judge(step):
                return [self._judge(step)]
            case Start(step, attempt):
                return self._start(step, attempt)
            case Revive(step):
                self._tasks.append(self._task("revive", step, self._view.attempts[step], self._values.of(step)))
            case Leave(step):
                self._leave(step)
            case Settle(step, state, reason):
                error = self._errors.pop(step, None) if state is StepState.FAILED else None
                self._record("settled", step, state, {"reason": reason} | ({"error": error} if error else {}))
            case Pause(step):
                self._record("paused", step, StepState.PAUSED, {})
            case Delay(step, number):
                self._delay(step, number)
            case Halt(step, stop):
                return self._halt(step, stop)
            case Finish(state):
                self._finished = state
        return ()

    def _judge(self, step: StepId) -> Event:
        try:
            holds = self._values.judge(
                self._steps[step], lambda: succeeded(self._view, step), lambda: failed(self._view, step)
            )
        except InputsInvalid as error:
            broken = not self._values.misses_outputs(self._steps[step], "${{ " + self._steps[step].condition + " }}")
            return Judged(step, holds=False, reason=self._mask.text(error.what), broken=broken)
        return Judged(step, holds)

    def _start(self, step: StepId, attempt: int) -> Sequence[Event]:
        other = self._locks.take(self._steps[step], attempt)
        if other is None:
            return self._begin(step, attempt)
        reason = f"waits for the lock {other.name}, which {other.describe()} has"
        self._record("waiting", step, StepState.READY, {"reason": reason}, attempt - 1)
        return ()

    def _served(self) -> list[Event]:
        """Start what another run has made room for."""
        served = self._locks.served(self._view.graph.position, self._steps)
        return [event for step, attempt in served for event in self._begin(step, attempt)]

    def _halt(self, step: StepId, stop: Stop) -> Sequence[Event]:
        if self._locks.leave(step):
            state = StepState.CANCELLED if stop is Stop.NOW else StepState.INTERRUPTED
            self._record("settled", step, state, {"reason": "it waited for a lock"})
            return [Ended(step, state)]
        if stop is Stop.NOW:
            self._pool.end(step, "cancelled")
        else:
            self._pool.stop(step)
        return ()

    def _begin(self, step: StepId, attempt: int) -> Sequence[Event]:
        planned = self._steps[step]
        self._times.begin(step)
        self._record("intent", step, StepState.RUNNING, {"fingerprint": planned.fingerprint}, attempt)
        try:
            if planned.foreach is not None:
                return [self._expand(planned, attempt)]
            inputs = self._values.inputs(planned)
        except InputsInvalid as error:
            return [self._outcome(step, attempt, attempts.failure(error))]
        task = self._task("run", step, attempt, inputs)
        if planned.inline:
            return [self._outcome(step, attempt, attempts.perform(task, self._journal, Flag(), lambda _progress: None))]
        self._tasks.append(task)
        self._times.limit(planned, attempt)
        return ()

    def _expand(self, planned: PlannedStep, attempt: int) -> Event:
        """Book the steps that a foreach step becomes, before any of them starts."""
        items = self._mask.data(self._values.items(planned))
        cells = tuple(foreach_cells(planned, items))
        self._locks.release(planned.id)  # they are for the steps that it becomes
        self._values.add(planned.id, cells)
        body = expanded_body(items, cells, self._times.took(planned.id))
        self._record("expanded", planned.id, StepState.SUCCEEDED, body, attempt)
        return Expanded(planned.id, cells)

    def _task(self, kind: str, step: StepId, attempt: int, data: Mapping[str, Any]) -> Task:
        planned = self._steps[step]
        place = self._place
        origin = self._known.origins.get(step) if kind == "revive" else None
        log = place.directory / "logs" / step_slug(step) / f"{attempt}.log"
        return Task(
            kind=kind,
            uses=planned.uses,
            run=origin or place.run,
            step=step,
            attempt=attempt,
            data=data,
            home=place.home,
            directory=place.directory.with_name(origin) if origin else place.directory,
            journal=place.journal,
            guardian=os.getpid(),
            matrix=planned.matrix,
            secrets=self._values.secrets,
            answer=self._answers.get(step),
            log=None if planned.inline else log,
            adopt=self._number(step, attempt) == 1 and self._known.cut_off.get(step) == planned.fingerprint,
            time_to_live=place.time_to_live,
        )

    def _outcome(self, step: StepId, attempt: int, result: Result) -> Event:
        """Book how an attempt ended, and return it as the core wants to hear it."""
        result = masked(result, self._mask)
        self._locks.release(step)
        state = result.state
        kind = ErrorClass(result.error["kind"]) if result.error else None
        planned = self._steps[step]
        last = self._times.is_last(planned, self._number(step, attempt), kind)
        if last:
            result = without_time(result, planned)
        if result.error and result.error["code"] == DiskFull.code:  # not the step's fault: it goes on with space
            state = StepState.INTERRUPTED
            self._storage = DiskFull(result.error["what"], hint=result.error["hint"], where=step)
        if result.outputs is not None:
            self._values.put(step, result.outputs)
        if result.error:
            self._errors[step] = result.error
        self._record("outcome", step, state, outcome_body(result, self._times.took(step)), attempt)
        return Ended(step, state, kind, result.reason, last=last)

    def _number(self, step: StepId, attempt: int) -> int:
        """Return the number of an attempt in this session, from 1."""
        return attempt - self._view.earlier.get(step, 0)

    def _delay(self, step: StepId, failed_attempt: int) -> None:
        seconds = delay_before_next(self._steps[step].retry, self._number(step, failed_attempt))
        body = {"reason": f"again in {format_duration(seconds)}", "delay_s": round(seconds, 6)}
        self._record("retry", step, StepState.RETRYING, body, failed_attempt)
        self._times.set(seconds, "retry", step, failed_attempt)

    def _record(
        self, kind: str, step: StepId, state: StepState, body: Mapping[str, Any], attempt: int | None = None
    ) -> None:
        number = self._view.attempts[step] if attempt is None else attempt
        self._records.append(journal_event.Event(kind, self._place.run, step, number, state, time.time_ns(), body))

    def _await(self) -> list[Event]:
        """Wait until something happens; returns what the core has to hear about."""
        next_look = self._looked + _LOOK
        moments = [moment for moment in (self._times.next, self._pool.next_kill(), next_look) if moment]
        ready = wait([*self._pool.connections(), self._signals.descriptor], max(0.0, min(moments) - time.monotonic()))
        events = self._asked()
        for connection in ready:
            if isinstance(connection, Connection):
                events.extend(self._receive(connection))
        self._pool.kill_overdue()
        events.extend(self._due())
        if self._storage is not None:
            events.append(StopAsked(Stop.SAFELY))
        return events

    def _asked(self) -> list[Event]:
        """Return what a person asked for: by a signal, or from another process through the journal."""
        events: list[Event] = []
        stop, asked = self._signals.take(), Stop.NO
        now = time.monotonic()
        if now >= self._looked + _LOOK:
            self._looked = now
            if not self._journal.is_in_place():
                raise JournalGone(
                    f"the journal {self._place.journal} was removed while the run went on",
                    hint="the run has ended, and what it had made was removed; begin it again",
                )
            asked, answers = self._control.heard()
            stop = self._signals.ask(asked)
            events.extend(self._answered(step, answer) for step, answer in answers.items() if step in self._steps)
            self._look_after_attempts()
            if stop is Stop.NO:
                events.extend(self._served())
        if stop > self._view.stop:
            events.append(StopAsked(stop))
            if stop > asked:  # by a signal: who watches from outside is to know
                body = {"stage": int(stop), "by": "", "signal": True}
                self._records.append(
                    journal_event.Event(STOP_ASKED, self._place.run, time_ns=time.time_ns(), body=body)
                )
        return events

    def _look_after_attempts(self) -> None:
        for step in self._vitals.silent():
            self._pool.end(step, SILENT)
        self._vitals.write()
        with contextlib.suppress(StorageError):
            self._locks.renew()

    def _answered(self, step: StepId, answer: Answer) -> Event:
        self._answers[step] = answer
        record = next(each for each in self._control.steps() if each.id == step)
        if answer_of(record, self._answers) is None or runs_again(record, answer):
            return Answered(step)
        return Answered(step, with_answer(self._steps[step], answer), verdict(record, answer))

    def _receive(self, connection: Connection) -> list[Event]:
        received = self._pool.receive(connection)
        if received is None:
            return []
        task, message = received
        if isinstance(message, Progress):
            message = replace(message, note=self._mask.text(message.note))
            self._listener.progressed(task.step, message)
        if isinstance(message, Progress | Beat):
            self._vitals.heard(task.step, message)
            return []
        self._vitals.ended(task.step)
        if isinstance(message, Died):
            message = result_of(message, self._steps[task.step], self._times.left(task.step))
        if task.kind == "revive":
            return self._revived(task, message)
        return [self._outcome(task.step, task.attempt, message)]

    def _revived(self, task: Task, result: Result) -> list[Event]:
        """What is gone has to be made again; what could not be probed is probed once more, and then left alone."""
        result = masked(result, self._mask)
        if result.state is StepState.SKIPPED:
            return [Revived(task.step, alive=False)]
        if result.outputs is not None:
            self._values.put(task.step, result.outputs)
            body = {"outputs": result.outputs, "reason": result.reason}
            self._record("revived", task.step, StepState.SUCCEEDED, body, task.attempt)
            return [Revived(task.step, alive=True)]
        self._probes[task.step] += 1
        if self._probes[task.step] < _PROBES and self._view.stop is Stop.NO:
            self._tasks.append(task)
            return []
        self._errors[task.step] = result.error
        return [Revived(task.step, alive=None)]

    def _leave(self, step: StepId) -> None:
        error = self._errors.pop(step)
        reason = f"could not be looked at: {error['what']}"
        self._record("unprobed", step, StepState.SUCCEEDED, {"reason": reason, "error": error})
        if self.unprobed is None:
            self.unprobed = NotProbed(
                f"what {step} made could not be looked at: {error['what']}",
                hint=f"`rallyflow resume {self._place.run}` looks again; to have it made anew, `rallyflow destroy "
                f"{self._place.run}` first",
                where=step,
            )

    def _due(self) -> list[Event]:
        events: list[Event] = []
        for timer in self._times.due():
            if self._view.attempts[timer.step] != timer.attempt:
                continue
            if timer.kind == "retry":
                events.append(RetryDue(timer.step))
            elif self._view.states[timer.step] is StepState.RUNNING:
                self._pool.end(timer.step, "timeout")
        return events
