"""The core of the engine over random plans, outcomes and stops, driven as the shell around it drives it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rallyflow.engine.answering import done_steps
from rallyflow.engine.decide import decide
from rallyflow.engine.messages import (
    Answered,
    Begin,
    Delay,
    Ended,
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
from rallyflow.engine.session import resumed_view
from rallyflow.engine.view import failed, new_view, succeeded
from rallyflow.errors import ErrorClass
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep, foreach_cells
from rallyflow.model.records import StepRecord
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.states import RunState, StepState

RUN = RunId("run")
CLAIMS = (
    *(("lock:red", 1), ("lock:green", 1), ("lock:blue", 1)),
    *(("limit:two", 1), ("limit:two", 2), ("limit:two", 1)),
)
LIMITS = {"two": 2}
UNDER_WAY = (StepState.RUNNING, StepState.RETRYING, StepState.PAUSED)


@dataclass(frozen=True)
class Script:
    """How the attempts of a step end: some transient errors first, then this."""

    errors: int
    end: StepState


@dataclass(frozen=True)
class Case:
    plan: Plan
    scripts: dict[StepId, Script]
    workers: int
    at_once: dict[str, int] = field(default_factory=dict)  # by matrix step: how many of its cells may be under way


@st.composite
def cases(draw):
    steps: list[PlannedStep] = []
    groups: dict[str, tuple[StepId, ...]] = {}
    names: list[str] = []
    at_once: dict[str, int] = {}
    for number in range(draw(st.integers(1, 7))):
        name = f"s{number}"
        common = PlannedStep(
            id=StepId(name),
            name=name,
            uses="noop",
            inputs={},
            fingerprint="",
            components={},
            needs=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else ()),
            condition=draw(st.sampled_from(["", "", "", "always()", "failure()", "false"])),
            retry=RetryPolicy(attempts=draw(st.integers(1, 3))),
            claims=tuple(draw(st.lists(st.sampled_from(CLAIMS), unique_by=lambda claim: claim[0], max_size=3))),
            on_failure=draw(st.sampled_from(["stop", "stop", "continue", "pause"])),
            inline=draw(st.booleans()),
            revivable=draw(st.booleans()),
        )
        cells = draw(st.sampled_from([0, 0, 0, 1, 2, 3]))
        if not cells and draw(st.integers(0, 3)) == 0:
            items = [f"i{number}" for number in range(draw(st.integers(0, 3)))]
            steps.append(replace(common, foreach=items, inline=True, revivable=False))
        elif cells:
            groups[name] = tuple(StepId(f"{name}[n={n}]") for n in range(cells))
            most = at_once[name] = draw(st.sampled_from([cells, 1, 2]))
            for position, cell in enumerate(groups[name]):
                steps.append(replace(common, id=cell, after=groups[name][max(0, position - most) : position][:1]))
                if position < most:
                    steps[-1] = replace(steps[-1], after=())
        else:
            steps.append(common)
        names.append(name)
    ends = st.sampled_from([StepState.SUCCEEDED] * 4 + [StepState.FAILED, StepState.ERRORED, StepState.INCONCLUSIVE])
    every = [step.id for step in steps]
    every.extend(cell.id for step in steps if step.foreach for cell in foreach_cells(step, step.foreach))
    scripts = {step: Script(draw(st.integers(0, 3)), draw(ends)) for step in every}
    return Case(Plan("plan", "file", tuple(steps), groups, limits=LIMITS), scripts, draw(st.integers(1, 3)), at_once)


@dataclass
class Harness:
    """Obeys commands as the runner does, with attempts that end in an order that the test chooses."""

    case: Case
    view: object
    alive: bool | None = True
    running: dict[StepId, int] = field(default_factory=dict)
    reviving: set[StepId] = field(default_factory=set)
    timers: set[StepId] = field(default_factory=set)
    left: set[StepId] = field(default_factory=set)
    finished: RunState | None = None
    journal: dict[StepId, tuple[StepState, int]] = field(default_factory=dict)
    snapshots: list[dict[StepId, tuple[StepState, int]]] = field(default_factory=list)
    started: list[StepId] = field(default_factory=list)
    answer: str = ""  # what a person, who is there at once, says to every step that pauses

    def __post_init__(self):
        self.begun = dict(self.view.states)
        for step in self.case.plan.steps:
            self.journal.setdefault(step.id, (StepState.PLANNED, self.view.attempts[step.id]))

    def tell(self, event):
        queue = [event]
        while queue:
            before = self.view
            seen = (dict(before.states), dict(before.waiting), dict(before.held), dict(before.running), before.free)
            self.view, commands = decide(before, queue.pop(0))
            assert seen == (
                *(dict(before.states), dict(before.waiting)),
                *(dict(before.held), dict(before.running), before.free),
            ), "the old view has changed"
            for command in commands:
                queue.extend(self.obey(command))
            self.check()
            self.snapshots.append(dict(self.journal))

    def obey(self, command):
        match command:
            case Judge(step):
                condition = self.view.graph.steps[step].condition
                holds = {"always()": True, "false": False}.get(condition, failed(self.view, step))
                return [Judged(step, holds)]
            case Start(step, attempt):
                return self.start(step, attempt)
            case Revive(step):
                self.reviving.add(step)
            case Leave(step):
                self.left.add(step)
            case Settle(step, state, _):
                self.book(step, state)
            case Pause(step):
                self.book(step, StepState.PAUSED)
            case Delay(step, _):
                self.book(step, StepState.RETRYING)
                self.timers.add(step)
            case Halt():
                pass
            case Finish(state):
                self.finished = state
        return []

    def expand(self, planned):
        cells = tuple(foreach_cells(planned, planned.foreach))
        del self.running[planned.id]
        self.book(planned.id, StepState.SUCCEEDED)
        self.journal.update((cell.id, (StepState.PLANNED, 0)) for cell in cells)
        return Expanded(planned.id, cells)

    def start(self, step, attempt):
        planned = self.view.graph.steps[step]
        for need in planned.needs:
            for each in (need, *self.view.graph.groups.get(need, ())):
                if each not in self.view.states:
                    continue  # the name of a matrix step
                assert self.view.states[each].ended, f"{step} started before {each} had ended"
        self.started.append(step)
        self.running[step] = attempt
        self.journal[step] = (StepState.RUNNING, attempt)
        if planned.foreach is not None:
            return [self.expand(planned)]
        return [self.end(step)] if planned.inline else []

    def end(self, step, state=None):
        attempt = self.running.pop(step) - self.view.earlier.get(step, 0)
        script = self.case.scripts[step]
        error = ErrorClass.TRANSIENT if attempt <= script.errors else None
        if error is None and script.end is StepState.ERRORED:
            error = ErrorClass.PERMANENT
        state = state or (StepState.ERRORED if error else script.end)
        self.book(step, state)
        return Ended(step, state, error if state is StepState.ERRORED else None)

    def book(self, step, state):
        self.journal[step] = (state, self.journal[step][1])

    def check(self):
        view = self.view
        workers = [step for step, takes in view.running.items() if takes]
        assert len(workers) + view.free == self.case.workers
        assert view.free >= 0
        held = {}
        for step in view.running:
            for name, units in view.graph.steps[step].claims if view.states[step] is StepState.RUNNING else ():
                held[name] = held.get(name, 0) + units
        assert {name: units for name, units in view.held.items() if units} == held
        for name, units in held.items():
            assert units <= view.graph.capacities.get(name, 1), f"more is held of {name} than there is"
        for name, most in self.case.at_once.items():
            under_way = [step for step in view.graph.groups[name] if view.states[step] in UNDER_WAY]
            assert len(under_way) <= most, f"too many cells of {name} at a time"
        if self.finished is None:
            going_on = self.running or self.reviving or self.timers or any(view.running)
            assert going_on or any(view.states[step] is StepState.PLANNED for step in view.states)

    def next(self, choose):
        """Let one thing happen: an attempt or a revival ends, or a delay is over."""
        options = [("end", step) for step in sorted(self.running)]
        options += [("revive", step) for step in sorted(self.reviving)]
        options += [("timer", step) for step in sorted(self.timers)]
        if self.answer:
            paused = (step for step, state in self.view.states.items() if state is StepState.PAUSED)
            options += [("answer", step) for step in sorted(paused)]
        assert options, f"deadlock: {dict(self.view.states)}"
        kind, step = choose(options)
        if kind == "end":
            self.tell(self.end(step))
        elif kind == "answer":
            decided = replace(self.view.graph.steps[step], on_failure=self.answer)
            self.tell(Answered(step, decided, "decided"))
        elif kind == "timer":
            self.timers.discard(step)
            self.tell(RetryDue(step))
        else:
            self.reviving.discard(step)
            if self.alive:
                self.book(step, StepState.SUCCEEDED)
            self.tell(Revived(step, self.alive))

    def run(self, choose):
        self.tell(Begin())
        while self.finished is None:
            self.next(choose)
        return {step: state for step, (state, _) in self.journal.items()}


def fresh(case):
    return Harness(case, new_view(case.plan, workers=case.workers))


def first(options):
    return options[0]


@settings(max_examples=300, deadline=None)
@given(cases(), st.data())
def test_a_run_ends_with_every_step_ended_whatever_happens_in_whatever_order(case, data):
    harness = fresh(case)
    states = harness.run(lambda options: data.draw(st.sampled_from(options)))
    paused = StepState.PAUSED in states.values()
    assert harness.finished is RunState.PAUSED or not paused
    assert all(state.ended or (paused and state is StepState.PLANNED) for state in states.values())
    assert states == dict(harness.view.states)
    assert not any(harness.view.held.values())
    assert not harness.view.pending
    assert harness.view.open == sum(state in (StepState.PLANNED, StepState.PAUSED) for state in states.values())
    for step, script in case.scripts.items():
        attempts = harness.started.count(step)
        policy = harness.view.graph.steps[step].retry.attempts if attempts else 0
        assert attempts <= policy
        planned = harness.view.graph.steps.get(step)
        if not attempts or planned.foreach is not None:
            continue
        end = script.end if script.errors < policy else StepState.ERRORED
        pauses = planned.on_failure == "pause" and end is not StepState.SUCCEEDED
        assert states[step] is (StepState.PAUSED if pauses else end)


@settings(max_examples=150, deadline=None)
@given(cases(), st.data())
def test_the_order_in_which_attempts_end_does_not_change_how_steps_end(case, data):
    assert fresh(case).run(first) == fresh(case).run(lambda options: data.draw(st.sampled_from(options)))


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_a_stop_starts_nothing_new_and_leaves_what_resume_can_take_up(case, data):
    harness = fresh(case)
    harness.tell(Begin())
    for _ in range(data.draw(st.integers(0, 6))):
        if harness.finished is None:
            harness.next(lambda options: data.draw(st.sampled_from(options)))
    stop = data.draw(st.sampled_from([Stop.SAFELY, Stop.NOW]))
    if harness.finished is not None:
        return
    started = len(harness.started)
    harness.tell(StopAsked(stop))
    harness.timers.clear()
    ending = StepState.CANCELLED if stop is Stop.NOW else StepState.INTERRUPTED
    while harness.finished is None:
        if harness.running:
            harness.tell(harness.end(min(harness.running), ending))
        else:
            harness.reviving.clear()
            break
    assert len(harness.started) == started
    assert harness.finished is (RunState.CANCELLED if stop is Stop.NOW else RunState.INTERRUPTED)
    assert resumed(case, harness.journal).run(first) == fresh(case).run(first)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["stop", "continue"]), st.data())
def test_an_answer_to_a_failure_while_the_run_goes_on_is_as_if_the_file_had_said_so(case, answer, data):
    decided = [
        replace(step, on_failure=answer if step.on_failure == "pause" else step.on_failure) for step in case.plan.steps
    ]
    expected = fresh(replace(case, plan=replace(case.plan, steps=tuple(decided)))).run(first)
    pausing = {step.name for step in case.plan.steps if step.on_failure == "pause"}
    harness = replace(fresh(case), answer=answer)

    def choose(options):
        answers = [option for option in options if option[0] == "answer"]
        return answers[0] if answers and harness.view.open == len(answers) else data.draw(st.sampled_from(options))

    harness.tell(Begin())
    while harness.finished is None or (harness.finished is RunState.PAUSED and not harness.running):
        if harness.finished is RunState.PAUSED:
            return  # nobody answered in time: the next session takes the answer up
        harness.next(choose)
    for step, (state, _) in harness.journal.items():
        name = harness.view.graph.steps[step].name
        failed = name in pausing and expected[step] in (StepState.ERRORED, StepState.INCONCLUSIVE)
        assert state is (StepState.FAILED if failed else expected[step])


def resumed(case, journal, *, alive=True):
    """The next session of a run that the journal has like this: finished steps stay, all others are planned again."""
    plan = case.plan
    for step in case.plan.steps:
        if step.foreach is not None and journal[step.id][0].final:
            plan = plan.expanded(step, step.foreach)
    records = [
        StepRecord(RUN, step.id, step.name, step.uses, journal[step.id][0], journal[step.id][1]) for step in plan.steps
    ]
    done = done_steps(plan, records)
    kept = {step: entry for step, entry in journal.items() if step in done}
    return Harness(replace(case, plan=plan), resumed_view(plan, records, case.workers), alive=alive, journal=kept)


@settings(max_examples=100, deadline=None)
@given(cases(), st.booleans())
def test_a_run_that_is_cut_anywhere_and_resumed_ends_like_one_that_was_not(case, alive):
    whole = fresh(case)
    states = whole.run(first)
    for snapshot in whole.snapshots:
        again = resumed(case, snapshot, alive=alive)
        assert again.run(first) == states
        if alive:
            kept = {step for step, state in again.begun.items() if state in (StepState.SUCCEEDED, StepState.REVIVING)}
            assert not kept & set(again.started), "a finished step ran again"


@settings(max_examples=100, deadline=None)
@given(cases())
def test_what_could_not_be_looked_at_is_left_for_the_next_session_and_made_anew_only_with_what_it_needs(case):
    whole = fresh(case)
    states = whole.run(first)
    for snapshot in whole.snapshots:
        blind = resumed(case, snapshot, alive=None)
        after = blind.run(first)
        done = {step for step, state in blind.begun.items() if state in (StepState.SUCCEEDED, StepState.REVIVING)}
        for step in done & set(blind.started):
            assert any(blind.started.count(need) for need in needs_of(blind.view.graph, step)), f"{step} ran again"
        if not blind.left:
            assert after == states
            continue
        assert blind.finished in (RunState.INTERRUPTED, RunState.PAUSED)
        assert all(after[step] is StepState.SUCCEEDED for step in blind.left)
        assert resumed(case, blind.journal).run(first) == states


def test_a_probe_behind_a_long_chain_of_inline_steps_is_left_for_the_next_session():
    names = [f"s{number}" for number in range(5000)]
    steps = [PlannedStep(StepId("s0"), "s0", "noop", {}, "", {}, inline=True)]
    steps += [
        PlannedStep(StepId(name), name, "noop", {}, "", {}, inline=True, needs=tuple(names[max(0, n - 2) : n]))
        for n, name in enumerate(names[1:], 1)
    ]
    cloud = PlannedStep(StepId("cloud"), "cloud", "noop", {}, "", {}, revivable=True, needs=(names[-1],))
    after = PlannedStep(StepId("after"), "after", "noop", {}, "", {}, needs=("cloud",))
    plan = Plan("p", "f", (*steps, cloud, after), {})
    done = dict.fromkeys([*(step.id for step in steps), cloud.id], StepState.SUCCEEDED)
    view, _ = decide(new_view(plan, workers=1, done=done, revive=frozenset({cloud.id})), Begin())
    view, commands = decide(view, Revived(cloud.id, alive=None))
    assert commands == [Leave(cloud.id), Finish(RunState.INTERRUPTED)]


def needs_of(graph, step):
    """All steps that a step stands on."""
    found, todo = set(), [step]
    while todo:
        for need in graph.steps[todo.pop()].needs:
            for each in graph.groups.get(need, (need,)):
                if each not in found:
                    found.add(each)
                    todo.append(each)
    return found


def test_the_run_tells_the_worst_end_of_its_steps():
    ends = [StepState.SUCCEEDED, StepState.INCONCLUSIVE, StepState.FAILED, StepState.ERRORED]
    for one, two in itertools.combinations_with_replacement(ends, 2):
        steps = tuple(PlannedStep(StepId(name), name, "noop", {}, "", {}) for name in "ab")
        case = Case(Plan("p", "f", steps, {}), {StepId("a"): Script(0, one), StepId("b"): Script(0, two)}, 2)
        harness = fresh(case)
        harness.run(first)
        assert harness.finished == max(one, two, key=ends.index).value


def test_a_condition_of_failure_runs_only_after_something_went_wrong():
    steps = (
        PlannedStep(StepId("a"), "a", "noop", {}, "", {}),
        PlannedStep(StepId("b"), "b", "noop", {}, "", {}, needs=("a",)),
        PlannedStep(StepId("c"), "c", "noop", {}, "", {}, needs=("b",), condition="failure()"),
    )
    for end, expected in ((StepState.SUCCEEDED, StepState.SKIPPED), (StepState.ERRORED, StepState.SUCCEEDED)):
        scripts = {step.id: Script(0, StepState.SUCCEEDED) for step in steps} | {StepId("a"): Script(0, end)}
        harness = fresh(Case(Plan("p", "f", steps, {}), scripts, 2))
        assert harness.run(first)["c"] is expected
        assert succeeded(harness.view, StepId("b")) is (end is StepState.SUCCEEDED)


def test_a_retry_in_a_later_session_is_named_by_the_number_that_its_attempt_has_in_the_run():
    step = PlannedStep(StepId("a"), "a", "noop", {}, "", {}, retry=RetryPolicy(attempts=2))
    view, _ = decide(new_view(Plan("p", "f", (step,), {}), workers=1, attempts={step.id: 3}), Begin())
    assert view.attempts[step.id] == 4
    view, commands = decide(view, Ended(step.id, StepState.ERRORED, ErrorClass.TRANSIENT))
    assert commands == [Delay(step.id, 4)]
