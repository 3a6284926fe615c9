from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from rallyflow.errors import JournalUnusable
from rallyflow.journal.event import Event
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.refold import differences, refold
from rallyflow.journal.salvage import salvage
from rallyflow.journal.store import Journal
from rallyflow.model.ids import StepId
from rallyflow.model.states import StepState
from tests.unit.journal.conftest import RUN

PAGE = 4096
EVENTS = 500


@pytest.fixture
def filled(journal):
    """A journal of many pages, all of it in its one file."""
    for number in range(EVENTS):
        body = {"reason": f"{number} " + "x" * 300}
        journal.record([Event("retry", RUN, StepId("a"), 1, StepState.RETRYING, number, body)])
    journal.query("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return journal.path


def dice(seed):
    return random.Random(seed)  # noqa: S311 - the same in each run


def reasons(path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT json_extract(body, '$.reason') FROM event WHERE kind = 'retry' ORDER BY seq")
        return [int(row[0].split()[0]) for row in rows]


def overwrite(path, pages):
    content = bytearray(path.read_bytes())
    for page in pages:
        content[page * PAGE : (page + 1) * PAGE] = dice(page).randbytes(PAGE)
    path.write_bytes(bytes(content))


def test_all_of_a_sound_journal_is_saved(filled, tmp_path):
    new = tmp_path / "new.db"
    counts = salvage(filled, new)
    assert counts == {"run": 1, "event": EVENTS + 1, "resource": 0, "part": 0, "step": 2}
    saved = Journal(new)
    with saved.snapshot() as connection:
        assert differences(connection, refold(connection, lambda _run, _file: None)) == []
    saved.close()


def test_what_is_before_and_behind_a_hole_is_saved(filled, tmp_path):
    with closing(sqlite3.connect(filled)) as connection:
        query = "SELECT pageno - 1 FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' ORDER BY path"
        try:
            leaves = [row[0] for row in connection.execute(query)]
        except sqlite3.OperationalError:
            leaves = list(range(filled.stat().st_size // PAGE // 2, filled.stat().st_size // PAGE // 2 + 6))
    hole = leaves[len(leaves) // 2 : len(leaves) // 2 + 3]
    overwrite(filled, hole)
    with pytest.raises(JournalUnusable, match="damaged") as caught:
        JournalReader(Journal(filled), tmp_path).events(RUN)
    assert "--salvage" in caught.value.hint
    new = tmp_path / "new.db"
    salvage(filled, new)
    found = reasons(new)
    assert found == sorted(set(found))
    assert EVENTS - 200 < len(found) < EVENTS
    assert (found[0], found[-1]) == (0, EVENTS - 1)
    assert [step.id for step in JournalReader(Journal(new), tmp_path).steps(RUN)] == ["a", "b"]


@pytest.mark.parametrize("seed", range(8))
def test_any_pages_may_be_damaged(filled, tmp_path, seed):
    count = filled.stat().st_size // PAGE
    overwrite(filled, dice(seed).sample(range(1, count), 4))
    new = tmp_path / "new.db"
    assert salvage(filled, new)["event"] == len(Journal(new).query("SELECT 1 FROM event"))


def test_nothing_can_be_saved_without_the_first_page(filled, tmp_path):
    overwrite(filled, [0])
    with pytest.raises(sqlite3.Error):
        salvage(filled, tmp_path / "new.db")
