from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import duckdb
import pytest

from rallyflow.errors import DiskFull
from rallyflow.model.states import RunState
from rallyflow.results import history
from rallyflow.results.history import IngestState, ingest, rebuild


@pytest.fixture
def database(tmp_path):
    return tmp_path / "home" / "results.duckdb"


@pytest.fixture(autouse=True)
def _home(database):
    database.parent.mkdir()


def rows(database, sql):
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_an_ingest_brings_records_and_parts(database, run, steps, write):
    parts = [write("iterations", [{"iteration": n} for n in range(3)]), write("tests", [{"name": "t"}])]
    result = ingest(database, [run], steps, parts)
    assert (result.state, result.parts, result.rows) == (IngestState.DONE, 2, 4)
    assert rows(database, "SELECT count(*) FROM iterations") == [(3,)]
    assert rows(database, "SELECT name FROM runs") == [("bench",)]
    assert rows(database, "SELECT count(*) FROM steps") == [(3,)]


def test_a_part_is_ingested_once(database, run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    ingest(database, [run], steps, [part])
    result = ingest(
        database,
        [replace(run, state=RunState.FAILED)],
        steps,
        [part, write("iterations", [{"iteration": 1}])],
    )
    assert (result.parts, result.rows) == (1, 1)
    assert rows(database, "SELECT iteration FROM iterations ORDER BY 1") == [(0,), (1,)]
    assert rows(database, "SELECT state FROM runs") == [("failed",)]


def test_a_part_is_known_again_after_its_home_was_moved(database, run, steps, write, tmp_path):
    part = write("iterations", [{"iteration": 0}])
    ingest(database, [run], steps, [part])
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(part.path, moved)
    assert ingest(database, [run], steps, [replace(part, path=moved / part.path.name)]).parts == 0


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE IF NOT EXISTS held (x INT)")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(database):
    """Another process that has the history open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_held_history_is_told_and_not_an_error(database, run, steps, holder):
    del holder
    result = ingest(database, [run], steps, [], patience=0.1)
    assert result.state is IngestState.BUSY
    assert "lock" in result.detail


def test_an_ingest_waits_for_another_process(database, run, steps, holder, monkeypatch):
    real = duckdb.connect
    tried = []

    def connect(*args, **options):
        tried.append(args)
        if len(tried) == 3:  # the other process goes away between two tries
            holder.stdin.close()
            holder.wait()
        return real(*args, **options)

    monkeypatch.setattr(duckdb, "connect", connect)
    assert ingest(database, [run], steps, []).state is IngestState.DONE
    assert len(tried) == 3


def test_a_damaged_history_is_told_and_rebuilt(database, run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    database.write_bytes(b"this is no database, whatever it is called" * 500)
    assert ingest(database, [run], steps, [part]).state is IngestState.UNUSABLE
    assert rebuild(database, [run], steps, [part]).state is IngestState.DONE
    assert rows(database, "SELECT count(*) FROM iterations") == [(1,)]
    assert [path.name for path in database.parent.iterdir()] == ["results.duckdb"]


def test_a_rebuild_that_fails_keeps_the_old_history(database, run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    ingest(database, [run], steps, [part])
    gone = replace(part, path=part.path.with_name("gone.parquet"))
    assert rebuild(database, [run], steps, [gone]).state is IngestState.UNUSABLE
    assert rows(database, "SELECT count(*) FROM iterations") == [(1,)]


def test_an_ingest_that_fails_midway_leaves_nothing_behind(database, run, steps, write):
    good, bad = write("iterations", [{"iteration": 0}]), write("tests", [{"name": "t"}])
    bad.path.write_bytes(b"not parquet at all, but long enough to look at")
    assert ingest(database, [run], steps, [good, bad]).state is IngestState.UNUSABLE
    assert ingest(database, [run], steps, [good]).parts == 1
    assert rows(database, "SELECT count(*) FROM iterations") == [(1,)]


def test_a_full_disk_is_an_error_that_says_so(database, run, steps, monkeypatch):
    def full(*_):
        raise duckdb.IOException("Could not write file: No space left on device")

    monkeypatch.setattr(history, "_fill", full)
    with pytest.raises(DiskFull, match=r"results\.duckdb"):
        ingest(database, [run], steps, [])


def test_a_history_of_an_earlier_version_takes_rows_with_new_columns(database, run, steps, write):
    ingest(database, [run], steps, [write("tests", [{"name": "old"}])])
    with duckdb.connect(str(database)) as connection:
        for column in ("detail", "tags", "worker", "attempts"):
            connection.execute(f"ALTER TABLE tests DROP COLUMN {column}")
    result = ingest(database, [run], steps, [write("tests", [{"name": "new", "attempts": 2}])])
    assert result.state is IngestState.DONE
    assert rows(database, "SELECT name, attempts FROM tests ORDER BY name") == [("new", 2), ("old", None)]
