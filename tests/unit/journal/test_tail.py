from __future__ import annotations

import pytest

from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.journal.tail import Tail
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Reading
from rallyflow.model.states import StepState

RUN = RunId("20260101-000000-aaaaa")
A = StepId("a")


@pytest.fixture
def tail(journal, tmp_path):
    assert journal.path.parent == tmp_path
    reading = Journal(tmp_path / "journal.db", write=False)
    yield Tail(JournalReader(reading, tmp_path), RUN)
    reading.close()


def book(journal, count, kind="intent"):
    journal.record([Event(kind, RUN, A, number, StepState.RUNNING, number) for number in range(1, count + 1)])


def test_each_event_is_given_once_and_in_order_however_many_there_are(journal, tail):
    book(journal, 1234)
    assert [event.kind for event in tail.look()][:2] == ["run_created", "intent"]
    assert tail.last == 1235
    assert list(tail.look()) == []
    book(journal, 2)
    assert [event.attempt for event in tail.look()] == [1, 2]


def test_a_look_that_was_given_up_goes_on_where_it_was(journal, tail):
    book(journal, 3)
    assert next(tail.look()).kind == "run_created"
    assert [event.attempt for event in tail.look()] == [1, 2, 3]


def test_where_nobody_has_written_nothing_is_read(tail, monkeypatch):
    list(tail.look())
    monkeypatch.setattr(JournalReader, "events", None)
    assert list(tail.look()) == []


def test_progress_is_given_when_it_has_changed(journal, tail):
    list(tail.look())
    row = "INSERT OR REPLACE INTO progress VALUES (?, 'a', 1, ?, 10, 'booting', 0.5, 7, ?)"
    with journal.transaction() as connection:
        connection.execute(row, (RUN, 3, 100))
    assert list(tail.look()) == [Reading(A, 1, 3, 10, "booting", 0.5, 7, 100)]
    book(journal, 1)
    assert [found.kind for found in tail.look()] == ["intent"]
    with journal.transaction() as connection:
        connection.execute(row, (RUN, 4, 200))
    assert [found.done for found in tail.look()] == [4]
