"""What a run is said to do and take, against what the core of the engine would do."""

from __future__ import annotations

from rallyflow.engine.forecast import Action, forecast
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import StepRecord
from rallyflow.model.states import StepState


def step(name, *needs, **more):
    return PlannedStep(StepId(name), name, "shell", {}, "", {}, needs=needs, **more)


def plan(*steps, **more):
    return Plan("p", "f", steps, {}, **more)


def seconds(**known):
    return {(name, "shell"): float(value) for name, value in known.items()}


def test_the_critical_path_is_the_chain_that_ends_last():
    found = forecast(
        plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")),
        workers=4,
        seconds=seconds(a=1, b=2, c=5, d=1),
    )
    assert found.seconds == 7
    assert found.critical == ("a", "c", "d")
    assert [each.critical for each in found.steps] == [True, False, True, True]


def test_a_lock_makes_one_wait_for_the_other_and_is_on_the_critical_path():
    lock = {"claims": (("lock:load", 1),)}
    found = forecast(plan(step("a", **lock), step("b", **lock)), workers=4, seconds=seconds(a=3, b=4))
    assert found.seconds == 7
    assert found.critical == ("a", "b")


def test_too_few_workers_make_a_run_longer():
    steps = [step(name) for name in "abcd"]
    times = seconds(a=1, b=1, c=1, d=1)
    assert [forecast(plan(*steps), workers=workers, seconds=times).seconds for workers in (1, 2, 4)] == [4, 2, 1]


def test_a_limit_is_shared_by_those_who_fit():
    steps = [step(name, claims=(("limit:api", 2),)) for name in "abc"]
    times = seconds(a=1, b=1, c=1)
    assert forecast(plan(*steps, limits={"api": 4}), workers=4, seconds=times).seconds == 2


def test_no_time_is_told_when_that_of_a_step_is_not_known():
    found = forecast(plan(step("a"), step("b")), workers=2, seconds=seconds(a=1))
    assert found.seconds is None
    assert [each.seconds for each in found.steps] == [1, None]


def test_a_resumed_run_keeps_what_is_done_probes_what_it_needs_and_runs_the_rest():
    steps = (step("cloud", revivable=True), step("old", revivable=True), step("check", "cloud"), step("load", "cloud"))
    ends = (StepState.SUCCEEDED, StepState.SUCCEEDED, StepState.FAILED, StepState.INTERRUPTED)
    records = [
        StepRecord(RunId("r"), planned.id, planned.name, "shell", state, attempt=1)
        for planned, state in zip(steps, ends, strict=True)
    ]
    found = forecast(plan(*steps), workers=2, seconds={}, earlier=records)
    assert [each.action for each in found.steps] == [Action.VERIFY, Action.REUSE, Action.REUSE, Action.RUN]
    assert found.steps[3].why == "it was interrupted"


def test_a_condition_that_is_known_beforehand_skips_the_step_and_what_needs_it():
    found = forecast(
        plan(
            step("a", condition="params.on"), step("b", "a"), step("c", condition="not params.on"), params={"on": False}
        ),
        workers=2,
        seconds={},
    )
    assert [(each.action, each.why) for each in found.steps] == [
        (Action.SKIP, "its condition is false: params.on"),
        (Action.SKIP, "a did not succeed"),
        (Action.RUN, "if not params.on"),
    ]
