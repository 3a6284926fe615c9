"""How long a run still takes, against what is left of it."""

from __future__ import annotations

import pytest

from rallyflow.engine.remaining import Standing, seconds_left
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.states import StepState

S = 10**9
NOW = 1000 * S


def step(name, *needs, **more):
    return PlannedStep(StepId(name), name.partition("[")[0], "shell", {}, "", {}, needs=needs, **more)


def left(*steps, workers=4, took, **states):
    """Return what is left when steps took so long, and these have a state, or run for so many seconds."""
    standing = {each.id: Standing(StepState.PLANNED) for each in steps}
    for name, state in states.items():
        running = isinstance(state, int)
        standing[StepId(name)] = Standing(StepState.RUNNING, NOW - state * S) if running else Standing(StepState(state))
    seconds = {(name, "shell"): float(value) for name, value in took.items()}
    return seconds_left(Plan("p", "f", steps, {}), standing, workers=workers, seconds=seconds, now_ns=NOW)


CHAIN = (step("a"), step("b", "a"), step("c", "b"))
TOOK = {"a": 10, "b": 20, "c": 30}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, 60),
        ({"a": 4}, 56),
        ({"a": 99}, 50),  # it is over its time
        ({"a": "succeeded", "b": 5}, 45),
        ({"a": "succeeded", "b": "succeeded", "c": "retrying"}, 30),
        ({"a": "succeeded", "b": "succeeded", "c": "succeeded"}, 0),
        ({"a": "failed", "b": "skipped", "c": "skipped"}, 0),
    ],
)
def test_what_has_ended_takes_no_time_and_what_runs_the_rest_of_its_time(states, expected):
    assert left(*CHAIN, took=TOOK, **states) == expected


def test_workers_are_shared_by_what_runs_and_what_is_to_start():
    steps = [step(name) for name in "abcd"]
    took = dict.fromkeys("abcd", 10)
    assert left(*steps, workers=2, took=took, a=5, b=5) == 15


def test_locks_make_steps_wait_for_each_other():
    lock = {"claims": (("lock:load", 1),)}
    assert left(step("a", **lock), step("b", **lock), took={"a": 10, "b": 10}, a=4) == 16


def test_nothing_is_told_when_what_is_left_was_never_timed():
    assert left(*CHAIN, took={"a": 10, "b": 20}) is None
    assert left(*CHAIN, took={"b": 20, "c": 30}, a="succeeded") == 50


def test_a_cell_that_was_never_timed_takes_what_the_others_take():
    assert left(step("boot[n=1]"), step("boot[n=2]"), took={"boot": 7}, workers=1) == 14


def test_nobody_knows_how_long_a_person_takes():
    assert left(*CHAIN, took=TOOK, a="paused") is None


def test_a_list_that_is_not_expanded_yet_has_no_time():
    assert left(step("a"), step("b", "a", foreach="${{ steps.a.items }}"), took=TOOK) is None


def test_a_step_that_only_runs_when_something_fails_needs_no_time():
    cleanup = step("oops", "c", condition="failure()")
    assert left(*CHAIN, cleanup, took=TOOK) == 60


@pytest.mark.parametrize(("state", "expected"), [("skipped", 30), ("running", 50)])
def test_a_condition_counts_as_the_run_has_found_it(state, expected):
    maybe = step("b", "a", condition="steps.a.stdout == 'yes'")
    after = step("c", "a")
    given = {"b": 0} if state == "running" else {"b": "skipped"}
    assert left(step("a"), maybe, after, workers=1, took=TOOK, a="succeeded", **given) == expected
