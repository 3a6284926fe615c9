"""The small parts around the core: delays, values, locks and the removal of what steps made."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyflow import plugins
from rallyflow.engine.locks import RunLock, is_live, wait_for_the_dead
from rallyflow.engine.retrying import delay_before_next
from rallyflow.engine.undo import undo
from rallyflow.engine.values import Values
from rallyflow.errors import InputsInvalid, PermanentError, RunLocked, TransientError
from rallyflow.journal.books import JournalLedger
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Deferred, Plan, PlannedStep
from rallyflow.model.records import RunRecord
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.states import RunState

RUN = RunId("20260101-000000-aaaaa")
POLICIES = st.builds(
    RetryPolicy,
    delay=st.floats(0, 100),
    factor=st.floats(1, 10),
    max_delay=st.floats(0, 1000),
    jitter=st.booleans(),
)


@settings(deadline=None)
@given(POLICIES, st.integers(1, 100))
def test_a_delay_is_never_negative_nor_above_the_longest(policy, attempt):
    delay = delay_before_next(policy, attempt)
    assert 0 <= delay <= policy.max_delay
    wanted = min(policy.delay * policy.factor ** (attempt - 1), policy.max_delay)
    assert delay >= wanted * 0.999999
    if not policy.jitter:
        assert delay == pytest.approx(wanted)


def step(name, **fields):
    return PlannedStep(StepId(name), fields.pop("group", name), "noop", fields.pop("inputs", {}), "", {}, **fields)


def values_of(*steps, groups=None, outputs=None, secrets=None):
    plan = Plan("p", "f", steps, groups or {}, params={"n": 3}, outputs=outputs or {})
    return Values(plan, {"id": "r", "name": "p", "directory": "d"}, secrets or {})


def deferred(source, path=("value",)):
    return step("b", inputs={"value": None, "list": [1, None]}, deferred=(Deferred(path, source),))


def test_a_deferred_value_keeps_its_type_and_leaves_the_plan_alone():
    user = deferred("${{ steps.a.out }}", ("list", 1))
    values = values_of(step("a"), user)
    values.put(StepId("a"), {"out": {"k": [1, 2]}})
    assert values.inputs(user) == {"value": None, "list": [1, {"k": [1, 2]}]}
    assert user.inputs == {"value": None, "list": [1, None]}
    assert values.inputs(deferred("n=${{ params.n }}, ${{ steps.a.out.k[1] }}"))["value"] == "n=3, 2"


def test_a_step_without_outputs_is_null_alone_and_an_error_in_a_text():
    values = values_of(step("a"))
    assert values.inputs(deferred("${{ steps.a.out }}"))["value"] is None
    for source in ("${{ steps.a.out }}/v3", "${{ steps.a.out.name ~ 'x' }}"):
        with pytest.raises(InputsInvalid, match=r"with\.value") as caught:
            values.inputs(deferred(source))
        assert caught.value.code == "RF0630"


def test_the_cells_of_a_matrix_step_are_a_list_and_where_chooses_one():
    cells = (step("a[n=1]", group="a", matrix={"n": 1}), step("a[n=2]", group="a", matrix={"n": 2}))
    values = values_of(*cells, groups={"a": (cells[0].id, cells[1].id)})
    values.put(cells[0].id, {"out": 10})
    assert values.inputs(deferred("${{ steps.a.out }}"))["value"] == [10]
    values.put(cells[1].id, {"out": 20})
    assert values.inputs(deferred("${{ steps.a.out }}"))["value"] == [10, 20]
    assert values.inputs(deferred("${{ steps.a.where(n=2).out }}"))["value"] == 20
    with pytest.raises(InputsInvalid, match="matches 0 cells"):
        values.inputs(deferred("${{ steps.a.where(n=3).out }}"))


@pytest.mark.parametrize(
    ("condition", "succeeded", "failed", "holds"),
    [
        ("always()", False, True, True),
        ("failure()", False, True, True),
        ("failure()", True, False, False),
        ("params.n > 2", True, False, True),
        ("params.n > 2", False, True, False),
        ("params.n in range(4)", False, True, False),
        ("always() and params.n > 5", True, False, False),
        ("failure() or params.n == 3", True, False, True),
        ("steps.a.out == 1", True, False, True),
    ],
)
def test_a_plain_condition_comes_on_top_of_success(condition, succeeded, failed, holds):
    values = values_of(step("a"))
    values.put(StepId("a"), {"out": 1})
    assert values.judge(step("b", condition=condition), lambda: succeeded, lambda: failed) is holds


def test_a_condition_without_a_value_is_an_error_of_the_step():
    with pytest.raises(InputsInvalid, match="if: "):
        values_of(step("a")).judge(step("b", condition="steps.a.out > 1"), lambda: True, lambda: False)


def test_outputs_of_the_workflow_without_a_value_are_null():
    values = values_of(step("a"), outputs={"x": "${{ steps.a.out }}", "y": "${{ params.n }}", "z": 5})
    assert values.outputs() == {"x": None, "y": 3, "z": 5}


HOLD = """
import sys
from pathlib import Path
from rallyflow.engine.locks import RunLock
from rallyflow.processes import act_for
RunLock(Path(sys.argv[1])).take()
act_for(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_run_has_one_engine_until_that_process_dies_of_whatever(tmp_path, holder):
    assert is_live(tmp_path)
    with pytest.raises(RunLocked, match=f"process {holder.pid} ") as caught:
        RunLock(tmp_path).take()
    assert caught.value.exit_code == 8
    with pytest.raises(TransientError, match="earlier session"):
        wait_for_the_dead(tmp_path, seconds=0)
    holder.send_signal(signal.SIGKILL)
    wait_for_the_dead(tmp_path)
    holder.wait()
    assert not is_live(tmp_path)
    lock = RunLock(tmp_path)
    lock.take()
    assert is_live(tmp_path)
    assert json.loads((tmp_path / "engine.lock").read_text())["pid"]
    lock.release()
    lock.release()
    assert not is_live(tmp_path)


def test_a_folder_without_a_lock_is_not_live(tmp_path):
    assert not is_live(tmp_path)
    assert not is_live(tmp_path / "nowhere")


class Handler:
    """Removes nothing, and remembers what it was asked for."""

    asked: list[str]
    failing: dict[str, list[Exception]]

    def delete(self, resource):
        self.asked.append(resource.name)
        if self.failing.get(resource.name):
            raise self.failing[resource.name].pop()


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "asked", [], raising=False)
    monkeypatch.setattr(Handler, "failing", {}, raising=False)
    real = plugins.load
    monkeypatch.setattr(plugins, "load", lambda group, name: Handler if name == "fake" else real(group, name))
    journal = Journal(tmp_path / "journal.db")
    journal.create_run(RunRecord(RUN, "p", RunState.RUNNING, Path("w"), 1), Plan("p", "f", (), {}))
    yield journal, JournalLedger(journal, tmp_path, (RUN, StepId("a"), 1)), JournalReader(journal, tmp_path)
    journal.close()


def test_what_was_made_last_goes_first_and_contents_go_with_what_contains_them(book):
    journal, ledger, reader = book
    network = ledger.intend("fake.network", "network")
    cloud = ledger.intend("fake.cloud", "cloud")
    server = ledger.intend("fake.server", "server", inside=cloud)
    ledger.intend("fake.volume", "volume", inside=server)
    ledger.intend("fake.port", "port", inside=network + 1000)
    ledger.created(cloud, "pid")
    gone = []
    assert undo(journal, reader.resources(RUN), lambda resource: gone.append(resource.name)) == []
    assert Handler.asked == ["port", "cloud", "network"]
    assert sorted(gone) == ["cloud", "network", "port", "server", "volume"]
    assert reader.resources(RUN) == []


def test_what_can_not_be_removed_stays_booked_and_does_not_hold_up_the_rest(book):
    journal, ledger, reader = book
    for name in ("a", "b", "c", "d"):
        ledger.intend("fake.thing", name)
    ledger.intend("nowhere.thing", "e")
    Handler.failing = {"b": [PermanentError("no")], "c": [TransientError("later")], "d": [KeyError("bug")]}
    left = undo(journal, reader.resources(RUN))
    assert [each.resource.name for each in left] == ["e", "d", "b"]
    assert "KeyError" in left[1].error.what
    assert Handler.asked == ["d", "c", "c", "b", "a"]
    assert [each.name for each in reader.resources(RUN)] == ["b", "d", "e"]


def test_contents_stay_booked_when_what_contains_them_can_not_be_removed(book):
    journal, ledger, reader = book
    cloud = ledger.intend("fake.cloud", "cloud")
    ledger.intend("fake.server", "server", inside=cloud)
    Handler.failing = {"cloud": [PermanentError("no")]}
    assert len(undo(journal, reader.resources(RUN))) == 1
    assert [each.name for each in reader.resources(RUN)] == ["cloud", "server"]
