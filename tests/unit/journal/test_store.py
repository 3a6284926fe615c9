from __future__ import annotations

import sqlite3
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rallyflow.errors import JournalUnusable, StorageError
from rallyflow.journal.books import JournalLedger, JournalParts
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.schema import MIGRATIONS
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.states import ResourceState, RunState, StepState

RUN = RunId("20260101-000000-aaaaa")
A = StepId("a")


def version_of(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("existing", [False, True])
def test_a_journal_is_made_from_nothing_and_from_an_empty_file(tmp_path, existing):
    path = tmp_path / "deep" / "journal.db"
    if existing:
        path.parent.mkdir()
        path.touch()
    journal = Journal(path)
    assert JournalReader(journal, tmp_path).runs() == []
    journal.close()
    assert version_of(path) == len(MIGRATIONS)


def test_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    for write in (True, False):
        with pytest.raises(JournalUnusable, match="newer rallyflow") as caught:
            Journal(path, write=write)
        assert caught.value.code == "RF0503"
        assert caught.value.hint
    assert version_of(path) == 99


def test_a_journal_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it(tmp_path):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO run (id, name, state, workflow, created_ns, params, provenance) "
            "VALUES (?, 'w', 'succeeded', 'w.yaml', 1, '{}', '{}')",
            (RUN,),
        )
        connection.execute(
            "INSERT INTO step (run, id, position, name, uses, matrix, fingerprint, state) "
            "VALUES (?, 'a', 0, 'a', 'noop', '{}', '', 'succeeded')",
            (RUN,),
        )
    connection.close()
    with pytest.raises(JournalUnusable, match="older"):
        Journal(path, write=False)
    reader = JournalReader(Journal(path), tmp_path)
    assert [(step.id, step.state) for step in reader.steps(RUN)] == [("a", "succeeded")]
    assert version_of(path) == len(MIGRATIONS)


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path, write):
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(JournalUnusable, match="damaged") as caught:
        Journal(path, write=write)
    assert caught.value.code == "RF0503"


def test_a_journal_whose_pages_are_overwritten_is_said_to_be_damaged(tmp_path, journal):
    journal.close()
    content = bytearray(journal.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    journal.path.write_bytes(bytes(content))
    with pytest.raises(JournalUnusable, match="damaged"):
        JournalReader(Journal(journal.path), tmp_path).runs()


def test_a_journal_that_is_not_there_can_not_be_read(tmp_path):
    with pytest.raises(StorageError):
        Journal(tmp_path / "none.db", write=False)


def test_two_processes_may_make_the_journal_at_the_same_time(tmp_path):
    path = tmp_path / "journal.db"
    failures = []

    def make():
        try:
            Journal(path).close()
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert version_of(path) == len(MIGRATIONS)


def test_all_of_a_transaction_counts_or_none(journal, tmp_path):
    reader = JournalReader(journal, tmp_path)

    def fail_half_way():
        with journal.transaction() as connection:
            connection.execute("UPDATE run SET name = 'half'")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert reader.run(RUN).name == "plan"
    with pytest.raises(StorageError):
        JournalParts(journal, tmp_path, (RUN, A, 1)).add([("iterations", tmp_path / "same", 1)] * 2)
    assert reader.parts(RUN) == []


def test_readers_see_the_last_commit_while_a_transaction_is_open(journal, tmp_path):
    other = Journal(journal.path, write=False)
    try:
        with journal.transaction() as connection:
            connection.execute("UPDATE run SET name = 'new'")
            assert JournalReader(other, tmp_path).run(RUN).name == "plan"
        assert JournalReader(other, tmp_path).run(RUN).name == "new"
    finally:
        other.close()


def test_a_reader_can_not_write(journal):
    other = Journal(journal.path, write=False)
    try:
        with pytest.raises(StorageError):
            other.record([Event("intent", RUN, A, 1, StepState.RUNNING, 5)])
    finally:
        other.close()


def test_the_ledger_is_seen_by_another_connection_at_once(journal, tmp_path):
    ledger = JournalLedger(journal, tmp_path, (RUN, A, 1))
    other = Journal(journal.path)
    try:
        seen = JournalLedger(other, tmp_path, (RUN, A, 2))
        cloud = ledger.intend("embedded.cloud", "cloud", detail={"port": 1})
        assert [(each.id, each.state, each.attempt) for each in seen.open()] == [(cloud, ResourceState.INTENT, 1)]
        seen.created(cloud, "pid-1", detail={"pid": 7})
        server = seen.intend("openstack.server", "server", inside=cloud)
        first, second = ledger.open()
        assert (first.external_id, first.detail) == ("pid-1", {"port": 1, "pid": 7})
        assert (second.id, second.inside, second.attempt) == (server, cloud, 2)
        ledger.deleted(cloud)
        assert [each.id for each in seen.open()] == [server]
        assert JournalLedger(other, tmp_path, (RUN, StepId("b"), 1)).open() == []
        everything = JournalReader(other, tmp_path).resources(open_only=False)
        assert [each.state for each in everything] == [ResourceState.DELETED, ResourceState.INTENT]
    finally:
        other.close()


def test_parts_are_found_by_step_and_table_and_move_with_the_home(journal, tmp_path):
    other = Journal(journal.path)
    try:
        JournalParts(journal, tmp_path, (RUN, A, 1)).add(
            [("iterations", tmp_path / "r" / "i", 3), ("actions", tmp_path / "r" / "a", 9)]
        )
        (part,) = JournalParts(other, tmp_path, (RUN, A, 2)).mine("iterations")
        assert (part.path, part.rows, part.attempt) == (tmp_path / "r" / "i", 3, 1)
        assert [each.table for each in JournalReader(other, tmp_path / "moved").parts(RUN)] == ["iterations", "actions"]
        assert JournalReader(other, tmp_path / "moved").parts(RUN)[0].path == tmp_path / "moved" / "r" / "i"
        assert JournalParts(other, tmp_path, (RUN, StepId("b"), 1)).mine("iterations") == []
    finally:
        other.close()


def test_bodies_may_hold_any_text_of_any_size(journal, tmp_path):
    body = {
        "outputs": {"text": "ünïcödé 🚀 \0 ' \" ; --" * 1000, "long": "x" * 5_000_000, "none": None},
        "reason": "причина",
    }
    journal.record([Event("outcome", RUN, A, 1, StepState.SUCCEEDED, 2, body)])
    reader = JournalReader(journal, tmp_path)
    assert reader.events(RUN)[-1][1].body == body
    (step, _) = reader.steps(RUN)
    assert (step.outputs, step.reason) == (body["outputs"], "причина")


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["intent", "outcome", "retry", "settled", "reopened", "interrupted", "revived"]),
        st.sampled_from(list(StepState)),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_the_table_of_steps_is_what_its_events_say(tmp_path, journal, drawn):
    """Folds the events again, written independently of the SQL that folds them in the journal."""
    reader = JournalReader(journal, tmp_path)
    last = reader.events(RUN)[-1][0]
    journal.record([Event("intent", RUN, A, 0, StepState.PLANNED, 0)])
    before = reader.steps(RUN)[0]
    expected = [before.state, before.attempt, before.started_ns, before.ended_ns, before.outputs, {}, ""]
    events = []
    for number, (kind, state, detailed) in enumerate(drawn, start=1):
        detail = {"outputs": {"n": number}, "error": {"code": str(number)}, "reason": f"r{number}"} if detailed else {}
        events.append(Event(kind, RUN, A, number, state, number * 10, detail))
        if kind == "intent":
            expected = [state, number, number * 10, 0, expected[4], {}, ""]
        else:
            expected[0] = state
            expected[3] = number * 10 if state.ended else 0
            expected[4] = detail.get("outputs", expected[4])
            expected[5:] = [detail.get("error", {}), detail.get("reason", "")]
    journal.record(events)
    step = reader.steps(RUN)[0]
    found = [step.state, step.attempt, step.started_ns, step.ended_ns, step.outputs, step.error, step.reason]
    assert found == expected
    assert [event for _, event in reader.events(RUN, after=last)][1:] == events


def test_sessions_are_counted_and_a_run_that_goes_on_has_no_end(journal, tmp_path):
    reader = JournalReader(journal, tmp_path)
    journal.record([Event("run_ended", RUN, state=RunState.INTERRUPTED, time_ns=9)])
    assert (reader.run(RUN).state, reader.run(RUN).ended_ns) == (RunState.INTERRUPTED, 9)
    journal.record([Event("run_resumed", RUN, state=RunState.RUNNING, time_ns=10)])
    assert (reader.run(RUN).state, reader.run(RUN).ended_ns, reader.run(RUN).sessions) == (RunState.RUNNING, 0, 2)
