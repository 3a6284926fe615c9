from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Event

import pytest

from rallyflow import plugins
from rallyflow.engine.attempt import Task, perform
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.states import StepState
from rallyflow.model.step import Outcome, StepModel, StepType


class Inputs(StepModel):
    number: int = 0


class Outputs(StepModel):
    number: int


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.db")

    def do(run, data=None):
        kind = type("Fake", (StepType,), {"Inputs": Inputs, "Outputs": Outputs, "run": run})
        monkeypatch.setattr(plugins, "step_type", lambda _uses: kind)
        task = Task("run", "fake", RunId("r"), StepId("s"), 1, data or {}, tmp_path, tmp_path, Path(), os.getpid())
        return perform(task, journal, Event(), lambda _progress: None)

    yield do
    journal.close()


def raising(error):
    def run(_self, _inputs, _context):
        raise error

    return run


@pytest.mark.parametrize("state", ["succeeded", "failed", "inconclusive", "interrupted"])
def test_what_a_step_says_of_itself_is_its_result(attempt, state):
    result = attempt(
        lambda _self, inputs, _context: Outcome(Outputs(number=inputs.number), StepState(state), "why"), {"number": 5}
    )
    assert (result.state, result.outputs, result.reason) == (state, {"number": 5}, "why")


@pytest.mark.parametrize("state", ["skipped", "running", "planned", "cancelled", "errored"])
def test_what_is_not_a_steps_to_say_is_an_error_of_the_plugin(attempt, state):
    result = attempt(lambda _self, _inputs, _context: Outcome(Outputs(number=1), StepState(state)))
    assert (result.state, result.error["code"], result.error["kind"]) == (StepState.ERRORED, "RF0002", "bug")


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (ValueError("x"), "RF0002", "bug"),
        (OSError(errno.ENOSPC, "full", "file"), "RF0502", "storage"),
        (OSError(errno.EDQUOT, "quota", "file"), "RF0502", "storage"),
        (RecursionError(), "RF0002", "bug"),
    ],
)
def test_every_exception_becomes_a_result(attempt, error, code, kind):
    result = attempt(raising(error))
    assert (result.state, result.error["code"], result.error["kind"]) == (StepState.ERRORED, code, kind)
    assert result.error["hint"]


def test_inputs_that_do_not_fit_name_the_place(attempt):
    result = attempt(raising(AssertionError), {"number": "many"})
    assert (result.error["code"], result.error["kind"]) == ("RF0630", "user")
    assert result.reason.startswith("with.number: ")
