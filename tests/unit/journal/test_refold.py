from __future__ import annotations

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rallyflow.journal.books import JournalLedger, JournalParts, mark_deleted
from rallyflow.journal.event import Event
from rallyflow.journal.fold import planned_row
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.refold import KEYS, differences, rebuild, refold
from rallyflow.journal.schema import MIGRATIONS
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import PlannedStep
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState, StepState
from tests.unit.journal.conftest import RUN, plan_of

OTHER = RunId("20260101-000001-bbbbb")
A = StepId("a")


def tables(journal):
    return {
        table: journal.query(
            f"SELECT *, rowid FROM {table} ORDER BY 1, 2" if table == "run" else f"SELECT * FROM {table} ORDER BY 1, 2"
        )
        for table in KEYS
    }


def told(journal, planned=lambda _run, _file: None):
    with journal.snapshot() as connection:
        return differences(connection, refold(connection, planned))


def fix(journal):
    with journal.transaction() as connection:
        found = refold(connection, lambda _run, _file: None)
        rebuild(connection, found, {each.run for each in differences(connection, found)})


def live(journal, home):
    """Book something of every kind."""
    journal.create_run(RunRecord(OTHER, "second", RunState.RUNNING, home / "w.yaml", 2), plan_of("a", "each"))
    ledger = JournalLedger(journal, home, (RUN, A, 1), 60.0)
    cloud = ledger.intend("embedded.cloud", "cloud", detail={"state": str(home / "state"), "n": {1: None}})
    ledger.created(cloud, "77", detail={"port": 1})
    ledger.intend("openstack.server", "server", inside=cloud)
    parts = JournalParts(journal, home, (RUN, A, 1))
    parts.add([("iterations", home / "i", 3), ("actions", home / "a", 9)])
    parts.drop(list(parts.mine("actions")))
    cell = {"id": "each[item=1]", "name": "each", "uses": "noop", "matrix": {"item": 1}, "fingerprint": "f1"}
    journal.record(
        [
            Event("intent", RUN, A, 1, StepState.RUNNING, 10),
            Event(
                "outcome", RUN, A, 1, StepState.SUCCEEDED, 20, {"outputs": {"ü": [1.5]}, "cpu_s": 0.25, "took_s": 1.1}
            ),
            Event(
                "expanded",
                OTHER,
                StepId("each"),
                1,
                StepState.SUCCEEDED,
                30,
                {"outputs": {"items": [1]}, "cells": [cell]},
            ),
            Event("run_ended", RUN, state=RunState.SUCCEEDED, time_ns=40),
            Event("run_resumed", RUN, state=RunState.RUNNING, time_ns=50),
        ]
    )
    mark_deleted(journal, JournalReader(journal, home).resources(RUN)[:1])


DAMAGE = [
    "UPDATE step SET state = 'failed' WHERE id = 'a'",
    "UPDATE step SET outputs = '{}' WHERE run = '20260101-000000-aaaaa'",
    "DELETE FROM step WHERE id = 'each[item=1]'",
    "UPDATE step SET id = 'x' WHERE cell > 0",
    "UPDATE run SET sessions = 9",
    "DELETE FROM run WHERE name = 'plan'",
    "DELETE FROM resource",
    "UPDATE resource SET state = 'created'",
    "UPDATE resource SET detail = '{}'",
    "INSERT INTO part SELECT 'p', run, step, attempt, tbl, rows, time_ns FROM part",
    "DELETE FROM part",
]


def test_a_sound_journal_is_what_its_events_say(journal, tmp_path):
    live(journal, tmp_path)
    assert told(journal) == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_the_tables_is_found_and_put_right_from_the_events(journal, tmp_path, damage):
    live(journal, tmp_path)
    before, events = tables(journal), journal.query("SELECT * FROM event")
    with journal.transaction() as connection:
        connection.execute(damage)
    assert told(journal)
    fix(journal)
    assert told(journal) == []
    assert tables(journal) == before
    assert journal.query("SELECT * FROM event") == events


def test_the_steps_of_a_rerun_are_in_its_event(journal, tmp_path):
    record = RunRecord(OTHER, "again", RunState.RUNNING, tmp_path / "w.yaml", 2, parent=RUN)
    assert "steps" not in journal.create_run(record, plan_of("a", "a[item=1]")).body
    before = tables(journal)
    with journal.transaction() as connection:
        connection.execute("DELETE FROM step WHERE run = ?", (OTHER,))
    assert len(told(journal, lambda _run, _file: [])) == 2 + 2  # also those of the other run, whose plan has none
    fix(journal)
    assert tables(journal) == before


def test_steps_that_are_gone_from_the_table_come_back_from_the_plan_file(journal, tmp_path):
    live(journal, tmp_path)
    before = tables(journal)
    with journal.transaction() as connection:
        connection.execute("DELETE FROM step WHERE run = ?", (RUN,))
    rows = [planned_row(step, number) for number, step in enumerate(plan_of("a", "b").steps)]

    def planned(run, file):
        assert file == "plan.json"
        return rows if run == RUN else None

    assert {(each.run, each.table, each.key) for each in told(journal, planned)} == {
        (RUN, "step", f"{RUN} {name}") for name in "ab"
    }
    with journal.transaction() as connection:
        rebuild(connection, refold(connection, planned), {RUN})
    assert tables(journal) == before


def test_differences_are_said_in_words(journal, tmp_path):
    live(journal, tmp_path)
    with journal.transaction() as connection:
        connection.execute("UPDATE step SET state = 'failed' WHERE id = 'b'")
        connection.execute("DELETE FROM part")
    assert [str(each) for each in told(journal)] == [
        f"step {RUN} b: state is 'failed', but the events say 'planned'",
        "part i: is not there",
    ]


def test_an_event_that_can_not_be_understood_is_named(journal):
    journal.record([Event("expanded", RUN, A, 1, StepState.SUCCEEDED, 1, {"outputs": {}, "cells": []})])
    with journal.transaction() as connection:
        connection.execute("UPDATE event SET body = '{' WHERE kind = 'expanded'")
    with journal.snapshot() as connection:
        ((number, what),) = refold(connection, lambda _run, _file: None).unreadable
    assert (number, what.split(":")[0]) == (2, f"expanded of {RUN}")


def test_a_run_of_an_older_version_is_compared_only_where_its_events_tell(tmp_path):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        connection.executescript(
            f"""
            INSERT INTO run (id, name, state, workflow, created_ns, params, provenance)
                VALUES ('{RUN}', 'old', 'succeeded', 'w.yaml', 1, '{{}}', '{{}}');
            INSERT INTO step (run, id, position, name, uses, matrix, fingerprint, state, attempt, started_ns, ended_ns)
                VALUES ('{RUN}', 'a', 0, 'a', 'noop', '{{}}', '', 'succeeded', 1, 5, 9);
            INSERT INTO resource (run, step, attempt, kind, name, state, created_ns, updated_ns)
                VALUES ('{RUN}', 'a', 1, 'embedded.cloud', 'c', 'deleted', 1, 2);
            INSERT INTO part VALUES ('p', '{RUN}', 'a', 1, 'iterations', 5, 1);
            INSERT INTO event (run, step, attempt, kind, state, time_ns, body) VALUES
                ('{RUN}', '', 0, 'run_created', 'running', 1, '{{}}'),
                ('{RUN}', 'a', 1, 'intent', 'running', 5, '{{}}'),
                ('{RUN}', 'a', 1, 'outcome', 'succeeded', 9, '{{}}'),
                ('{RUN}', '', 0, 'run_ended', 'succeeded', 10, '{{}}');
            """
        )
    connection.close()
    journal = Journal(path)
    assert told(journal) == []
    ledger = JournalLedger(journal, tmp_path, (RUN, A, 2))
    made = ledger.intend("openstack.server", "s")
    ledger.created(made, "id")
    assert told(journal) == []
    before = tables(journal)
    with journal.transaction() as connection:
        connection.execute("UPDATE step SET state = 'failed'")
        connection.execute("UPDATE run SET state = 'running'")
        connection.execute("DELETE FROM resource WHERE name = 's'")
    assert [(each.table, each.column) for each in told(journal)] == [
        ("run", "state"),
        ("step", "state"),
        ("resource", ""),
    ]
    fix(journal)
    assert tables(journal) == before
    journal.close()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["intent", "outcome", "retry", "settled", "reopened", "paused", "revived"]),
            st.sampled_from(list(StepState)),
            st.booleans(),
        ),
        st.sampled_from(["book", "made", "gone", "parts", "drop", "resume", "replan"]),
    ),
    max_size=15,
)


def do(journal, home, operation, number):
    ledger, parts = JournalLedger(journal, home, (RUN, A, 1)), JournalParts(journal, home, (RUN, A, 1))
    rows = ledger.open()
    match operation:
        case (kind, state, detailed):
            body = {"outputs": {"n": number}, "error": {"code": "e"}, "reason": "r", "took_s": 0.1} if detailed else {}
            journal.record([Event(kind, RUN, A, number, state, number, body)])
        case "book":
            ledger.intend("openstack.server", f"s{number}", inside=rows[-1].id if rows else 0)
        case "made" if rows:
            ledger.created(rows[-1].id, str(number), detail={"n": number})
        case "gone" if rows:
            ledger.deleted(rows[0].id)
        case "parts":
            parts.add([("iterations", home / str(number), number)])
        case "drop":
            parts.drop(parts.mine("iterations"))
        case "resume":
            journal.record([Event("run_resumed", RUN, state=RunState.RUNNING, time_ns=number)])
        case "replan":
            steps = [PlannedStep(StepId(name), name, "noop", {}, str(number), {}) for name in ("new", "a")]
            body = {
                "plan": f"plan-{number}.json",
                "workflow": "w",
                "params": {},
                "provenance": {},
                "steps": [planned_row(step, at) for at, step in enumerate(steps)],
            }
            journal.record([Event("replanned", RUN, time_ns=number, body=body)])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
def test_whatever_was_booked_is_what_the_events_say(journal, tmp_path, operations):
    for number, operation in enumerate(operations, start=1):
        do(journal, tmp_path, operation, number * 7919 + len(journal.query("SELECT 1 FROM event")))
    assert told(journal) == []
