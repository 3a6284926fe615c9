"""Asks a person what a paused run waits for, and books the answer."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from pydantic import ValidationError

from rallyflow.cli.output import colour, printable, say, show_error
from rallyflow.compile.params import from_text
from rallyflow.engine.answering import APPROVE, plan_as_it_went, was_in_flight
from rallyflow.engine.session import read_plan, values_so_far
from rallyflow.engine.values import Values
from rallyflow.errors import InputsInvalid, RallyflowError, UsageError
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.model.ids import RunId
from rallyflow.model.plan import PlannedStep
from rallyflow.model.records import StepRecord
from rallyflow.model.secret import MASK, Secret
from rallyflow.model.states import StepState
from rallyflow.model.step import Answer
from rallyflow.model.workflow import Param
from rallyflow.settings import Home
from rallyflow.steps.approve import ApproveInputs, read_answer


@dataclass(frozen=True, slots=True)
class Question:
    """A step that waits for a person."""

    step: StepRecord
    form: Mapping[str, Param]  # what is to be filled in

    @property
    def text(self) -> str:
        """What the person is asked."""
        if self.step.uses == APPROVE:
            return self.step.reason
        if was_in_flight(self.step):
            return self.step.reason
        why = self.step.error.get("what") or self.step.reason or "it failed"
        return f"{why}; go on as if it had succeeded?"


def questions(reader: JournalReader, home: Home, run: RunId) -> list[Question]:
    """Return what a run waits for, in the plan's order."""
    steps = reader.steps(run)
    waiting = [step for step in steps if step.state is StepState.PAUSED]
    if not waiting:
        return []
    plan = plan_as_it_went(read_plan(home.run(run), reader.run(run).plan), steps, reader.answers(run))
    hidden = dict.fromkeys(plan.secrets, Secret(MASK))
    values = values_so_far(plan, run, home.run(run), hidden, steps)
    planned = {step.id: step for step in plan.steps}
    return [Question(step, _form(planned[step.id], values)) for step in waiting]


def _form(step: PlannedStep, values: Values) -> Mapping[str, Param]:
    """Return what is to be filled in, with what only the run knew put in."""
    if step.uses != APPROVE or step.foreach is not None:
        return {}
    try:
        return ApproveInputs.model_validate(values.inputs(step)).input
    except (InputsInvalid, ValidationError):
        return {}  # the step has failed for that very reason, and paused because of `on_failure: pause`


def choose(waiting: Sequence[Question], step: str, run: RunId) -> Question:
    """Return the question of a step, or the only one; UsageError when it is not one."""
    found = [each for each in waiting if not step or each.step.id == step]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.step.id for each in waiting)
    if step and waiting:
        raise UsageError(f"step {step!r} of run {run} waits for no answer", hint=f"these do: {names}")
    if waiting:
        raise UsageError(f"run {run} waits for {len(waiting)} answers", hint=f"name the step, one of: {names}")
    raise UsageError(f"run {run} waits for no answer", hint=f"look at it: rallyflow show {run}")


def read_form(question: Question, given: Mapping[str, Any], *, approved: bool) -> Answer:
    """Return an answer once its values have been found to be good; UsageError when they are not."""
    values = {name: _read(name, value, question.form.get(name)) for name, value in given.items()}
    answer = Answer(approved, values, who())
    if question.step.uses == APPROVE:
        try:
            values = read_answer(ApproveInputs(message="-", input=dict(question.form)), answer)
        except RallyflowError as error:
            raise UsageError(error.what, hint=error.hint) from error
    elif values:
        raise UsageError(f"{question.step.id} asks for no values", hint="leave -p out")
    return Answer(approved, values, answer.by)


def _read(name: str, value: Any, spec: Param | None) -> Any:
    try:
        return value if spec is None else from_text(value, spec)
    except ValueError as error:
        raise UsageError(f"{name!r}: {error}", hint=f"its type is {spec.type if spec else '?'}") from error


def book(reader: JournalReader, question: Question, answer: Answer) -> None:
    """Put an answer into the journal; the next session of the run takes it up."""
    step = question.step
    body = {"approved": answer.approved, "values": dict(answer.values), "by": answer.by}
    reader.journal.record([Event("answered", step.run, step.id, step.attempt, time_ns=time.time_ns(), body=body)])


def ask_all(reader: JournalReader, home: Home, run: RunId) -> bool:
    """Ask on the terminal what a run waits for; returns whether every question was answered."""
    for question in questions(reader, home, run):
        try:
            book(reader, question, _ask(question))
        except (click.Abort, EOFError):
            say()
            return False
    return True


def can_ask() -> bool:
    """Whether there is somebody at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(question: Question) -> Answer:
    asked = f"{question.step.id}: {question.text}"
    say(f"{colour('?', 'cyan', 'bold')} {colour(printable(asked), 'bold')}")
    while True:
        given = {name: _value(name, spec) for name, spec in question.form.items()}
        approved = click.confirm("  agreed", err=True)
        try:
            return read_form(question, given if approved else {}, approved=approved)
        except UsageError as error:
            show_error(error)


def _value(name: str, spec: Param) -> Any:
    note = f" ({spec.description})" if spec.description else ""
    return click.prompt(f"  {name}{note}", default=spec.default, err=True, type=str)


def who() -> str:
    """Return the name of the user; empty where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return ""
