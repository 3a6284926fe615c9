from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from rallyflow.errors import StorageError
from rallyflow.results.catalogue import connect
from rallyflow.results.schema import TABLES


def test_every_view_exists_with_its_types_without_any_part(run, steps):
    with connect([run], steps, []) as catalogue:
        for table, schema in TABLES.items():
            found = catalogue.sql(f"SELECT * FROM {table}").to_arrow_table().schema
            assert {name: found.field(name).type for name in schema.names} == {f.name: f.type for f in schema}


def test_views_have_the_same_columns_with_and_without_parts(run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    with connect([run], steps, [part]) as full, connect([run], steps, []) as empty:
        assert full.execute("DESCRIBE iterations").fetchall() == empty.execute("DESCRIBE iterations").fetchall()


def test_people_find_seconds_and_timestamps(run, steps, write):
    part = write("iterations", [{"iteration": 0}, {"iteration": 1, "error_type": "TimedOut"}])
    with connect([run], steps, [part]) as catalogue:
        rows = catalogue.execute(
            "SELECT duration_s, ok, started_at::VARCHAR FROM iterations ORDER BY iteration"
        ).fetchall()
    assert rows == [
        (1.5, True, "2026-11-22 16:05:01.123456789"),
        (1.5, False, "2026-11-22 16:05:01.123456789"),
    ]


def test_runs_and_steps_come_from_the_records(run, steps):
    with connect([run], steps, []) as catalogue:
        assert catalogue.execute("SELECT name, state, duration_s, params->>'users' FROM runs").fetchall() == [
            ("bench", "succeeded", 1.0, "5")
        ]
        assert catalogue.execute(
            "SELECT step, position, matrix->>'users', started_at IS NULL FROM steps"
        ).fetchall() == [
            ("cloud", 0, None, False),
            ("load[users=5]", 1, "5", False),
            ("never", 2, None, True),
        ]
        started = catalogue.execute("SELECT started_at FROM runs").fetchone()
    assert started == (dt.datetime(2026, 11, 22, 16, 5, 1, 123456),)  # noqa: DTZ001 - DuckDB gives UTC without saying so


def test_a_folder_name_is_never_a_pattern(run, steps, write, tmp_path):
    hostile = write("iterations", [{"iteration": 7}], folder=tmp_path / "it's [ab]*?")
    write("iterations", [{"iteration": 8}], folder=tmp_path / "it's aXY")
    with connect([run], steps, [hostile]) as catalogue:
        assert catalogue.execute("SELECT iteration FROM iterations").fetchall() == [(7,)]


def test_a_missing_part_is_an_error_and_not_fewer_rows(run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    part.path.unlink()
    with pytest.raises(StorageError, match="missing"):
        connect([run], steps, [part])


def test_a_damaged_part_is_an_error_that_names_the_file(run, steps, write):
    part = write("iterations", [{"iteration": 0}])
    part.path.write_bytes(b"not parquet at all, but long enough to look at")
    with pytest.raises(StorageError, match="part-0"):
        connect([run], steps, [part])


def test_what_does_not_fit_into_memory_leaves_nothing_in_the_working_folder(run, steps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spill"))
    (tmp_path / "spill").mkdir()
    with connect([run], steps, [], memory="24MB") as catalogue:
        catalogue.execute("CREATE TEMP TABLE wide AS SELECT range AS n, hash(range) AS h FROM range(3_000_000)")
        assert catalogue.execute("SELECT count(*) FROM wide").fetchone() == (3_000_000,)
        assert list((tmp_path / "spill").iterdir())  # it did not fit
    assert [path for path in tmp_path.rglob("*") if path.name != "spill"] == []


def test_columns_are_documented(run, steps):
    with connect([run], steps, []) as catalogue:
        comments = dict(
            catalogue.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'iterations'"
            ).fetchall()
        )
    assert comments["error_type"] == "null when the iteration succeeded"


def test_parts_of_the_declared_schema_are_what_is_read(write):
    part = write("telemetry", [{"value": 0.25}])
    assert pa.parquet.read_schema(part.path).equals(TABLES["telemetry"])


def old_part(write, monkeypatch):
    """Return a part of `tests` as the first versions wrote it, without the columns that came later."""
    old = pa.schema([field for field in TABLES["tests"] if field.name not in ("detail", "tags", "worker", "attempts")])
    with monkeypatch.context() as patched:
        patched.setitem(TABLES, "tests", old)
        return write("tests", [{"name": "old", "state": "passed"}])


def test_parts_of_earlier_versions_are_read_beside_new_ones(run, steps, write, monkeypatch):
    old = old_part(write, monkeypatch)
    new = write("tests", [{"name": "new", "state": "failed", "detail": "trace", "attempts": 2}])
    for parts in ([old], [old, new]):
        with connect([run], steps, parts) as catalogue:
            rows = catalogue.execute("SELECT name, state, detail, attempts FROM tests ORDER BY name DESC").fetchall()
        assert rows == [("old", "passed", None, None), ("new", "failed", "trace", 2)][: len(parts)]
