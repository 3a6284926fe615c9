"""Runs one attempt, or one revival, inside whatever process it is called in, and gives its result as plain data."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from pydantic import ValidationError

from rallyflow import plugins
from rallyflow.engine.metering import Meter
from rallyflow.engine.undo import undo
from rallyflow.errors import (
    DiskFull,
    ErrorClass,
    InputsInvalid,
    InternalError,
    RallyflowError,
    StepError,
    TransientError,
)
from rallyflow.journal.books import JournalLedger, JournalParts
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId, step_key
from rallyflow.model.secret import Secret
from rallyflow.model.states import StepState
from rallyflow.model.step import Answer, OnResume, Outcome, Progress, StepContext, StepType
from rallyflow.settings import RESULTS

log = logging.getLogger("rallyflow")

_OUTCOMES = frozenset(
    {StepState.SUCCEEDED, StepState.FAILED, StepState.INCONCLUSIVE, StepState.INTERRUPTED, StepState.PAUSED}
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked to do; plain data, so that it can cross to another process."""

    kind: str  # run or revive
    uses: str
    run: RunId
    step: StepId
    attempt: int
    data: Mapping[str, Any]  # inputs to run with, or outputs to revive
    home: Path
    directory: Path
    journal: Path
    guardian: int
    matrix: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    answer: Answer | None = None
    log: Path | None = None
    time_to_live: float | None = None  # seconds, of what it makes outside
    adopt: bool = False  # an attempt with these inputs was cut off: what it made may be taken over


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended. For a revival, state SUCCEEDED means alive and SKIPPED means gone."""

    state: StepState
    outputs: Mapping[str, Any] | None = None
    reason: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)
    cpu_s: float = 0.0  # with all processes that it started
    memory_bytes: int = 0  # the most that was held at a time; 0 for what runs inside the engine


def perform(
    task: Task, journal: Journal, stop: Event, report: Callable[[Progress], None], meter: Meter | None = None
) -> Result:
    """Do a task; every exception becomes a result."""
    meter = meter or Meter(memory=False)
    try:
        result = _perform(task, journal, stop, report)
    except Exception as error:  # noqa: BLE001 - a worker reports every failure as data
        result = failure(_as_ours(error))
    cpu_s, memory_bytes = meter.total()
    return Result(result.state, result.outputs, result.reason, result.error, cpu_s, memory_bytes)


def failure(error: RallyflowError, state: StepState = StepState.ERRORED) -> Result:
    """Return the result that says an attempt could not be done."""
    return Result(state, error=describe(error), reason=error.what)


def describe(error: RallyflowError) -> dict[str, Any]:
    """Return an error as the journal keeps it."""
    return {
        "code": error.code,
        "what": error.what,
        "hint": error.hint,
        "where": error.where,
        "kind": str(error.kind),
    }


def _perform(task: Task, journal: Journal, stop: Event, report: Callable[[Progress], None]) -> Result:
    step: StepType[Any, Any] = plugins.step_type(task.uses)()
    context = _context(task, journal, stop, report)
    if task.kind == "revive":
        alive = step.revive(step.Outputs.model_validate(task.data), context)
        if alive is None:
            return Result(StepState.SKIPPED)
        outputs, reason = (alive.outputs, alive.reason) if isinstance(alive, Outcome) else (alive, "")
        return Result(StepState.SUCCEEDED, outputs.model_dump(mode="json"), reason)
    inputs = _inputs(step, task)
    outcome = _adopted(step, inputs, context) if task.adopt and step.on_resume is OnResume.RECONCILE else None
    if outcome is None:
        _clear_earlier(context, journal)
        outcome = step.run(inputs, context)
    if outcome.state not in _OUTCOMES:
        raise InternalError(f"`uses: {task.uses}` ended with {outcome.state}, which is not a step's own to say")
    _keep_history(task, context)
    return Result(outcome.state, outcome.outputs.model_dump(mode="json"), outcome.reason)


def _adopted(step: StepType[Any, Any], inputs: Any, context: StepContext) -> Outcome[Any] | None:
    """Take over what an attempt that was cut off had made; None when it has to be removed and made anew."""
    if not context.ledger.open():
        return None
    try:
        outcome = step.adopt(inputs, context)
    except StepError as error:
        log.warning("what the attempt before had made can't be taken over: %s", error.what)
        return None
    if outcome is None:
        return None
    log.info("took over what the attempt before had made")
    return replace(outcome, reason=outcome.reason or "took over what the attempt before had made")


def _keep_history(task: Task, context: StepContext) -> None:
    """Bring the step's measurements into results.duckdb; what can't be ingested now is caught up with later."""
    parts = [part for part in context.history.parts(task.run) if part.step == task.step]
    if not parts:
        return
    from rallyflow.results.history import IngestState, ingest

    done = ingest(task.home / RESULTS, [context.history.run(task.run)], [], parts)
    if done.state is not IngestState.DONE:
        log.warning("results.duckdb has not got these measurements yet: %s", done.detail)


def _inputs(step: StepType[Any, Any], task: Task) -> Any:
    try:
        return step.Inputs.model_validate(task.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in first["loc"])
        raise InputsInvalid(
            f"with.{place}: {first['msg']}" if place else first["msg"],
            hint=f"`uses: {task.uses}` can't take this value",
        ) from error


def _clear_earlier(context: StepContext, journal: Journal) -> None:
    """Remove what earlier attempts of the step left, so that this one starts clean."""
    left = context.ledger.open()
    if not left:
        return
    log.info("removing %d resources that earlier attempts left", len(left))
    failures = undo(journal, left)
    if failures:
        first = failures[0]
        passing = all(each.error.kind is ErrorClass.TRANSIENT for each in failures)
        raise (TransientError if passing else StepError)(
            f"{len(failures)} resources of an earlier attempt can't be removed; "
            f"{first.resource.kind} {first.resource.name}: {first.error.what}",
            hint=f"`rallyflow resume {context.run}` tries again, and so does `rallyflow destroy {context.run}`",
        )


def _context(task: Task, journal: Journal, stop: Event, report: Callable[[Progress], None]) -> StepContext:
    owner = (task.run, task.step, task.attempt)
    return StepContext(
        run=task.run,
        step=task.step,
        attempt=task.attempt,
        key=step_key(task.run, task.step),
        directory=task.directory,
        matrix=task.matrix,
        ledger=JournalLedger(journal, task.home, owner, task.time_to_live),
        parts=JournalParts(journal, task.home, owner),
        history=JournalReader(journal, task.home),
        log=log,
        guardian=task.guardian,
        secrets=task.secrets,
        answer=task.answer,
        time_to_live=task.time_to_live,
        stop=stop,
        report=report,
    )


def _as_ours(error: Exception) -> RallyflowError:
    if isinstance(error, RallyflowError):
        if error.kind is ErrorClass.BUG:
            log.error("%s", traceback.format_exc())
        else:
            log.error("%s %s%s", error.code, error.what, f" ({error.hint})" if error.hint else "")
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no space left to write {error.filename}", hint="free some space, then `rallyflow resume`")
    log.error("%s", traceback.format_exc())
    place = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})",
        hint="the step's log has the whole traceback",
    )
