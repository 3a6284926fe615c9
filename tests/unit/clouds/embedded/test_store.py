import shutil

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.clouds.embedded.store import Store, read_log

keys = st.sampled_from("abcdef")
puts = st.tuples(st.just("put"), keys, st.integers(0, 99), st.sampled_from(["p", "q", None]))
removes = st.tuples(st.just("remove"), keys, st.just(0), st.none())
changes = st.lists(st.one_of(puts, removes), max_size=40)


def apply(store, steps):
    for verb, key, value, project in steps:
        if verb == "put":
            store.put("things", {"id": key, "value": value, "project_id": project})
        else:
            store.remove("things", key)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


def fresh(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    return Store(folder)


@given(changes)
def test_a_store_opened_again_has_the_same_rows_in_the_same_order(folder, steps):
    store = fresh(folder)
    apply(store, steps)
    store.close()
    again = Store(folder)
    again.close()
    assert list(again.rows("things")) == list(store.rows("things"))
    for project in ("p", "q"):
        assert sorted(r["id"] for r in again.rows("things", project)) == sorted(
            row["id"] for row in store.rows("things") if row["project_id"] == project
        )


@given(changes, st.integers(1, 2000))
def test_a_log_cut_anywhere_gives_the_state_after_its_last_whole_change(folder, steps, cut):
    store = fresh(folder)
    apply(store, steps)
    store.close()
    log = folder / "rows.jsonl"
    content = log.read_bytes()
    log.write_bytes(content[:-cut] if cut < len(content) else b"")
    expected = {}
    for line in content[:-cut].split(b"\n")[:-1] if cut < len(content) else []:
        change = orjson.loads(line)
        expected[change["k"]] = change["v"]
        if change["v"] is None:
            del expected[change["k"]]
    again = Store(folder)
    again.close()
    assert {row["id"]: row for row in again.rows("things")} == expected


def test_the_log_holds_only_living_rows_after_a_start(tmp_path):
    store = Store(tmp_path)
    apply(store, [("put", "a", value, "p") for value in range(100)] + [("remove", "a", 0, None)])
    apply(store, [("put", "b", 1, "p")])
    store.close()
    Store(tmp_path).close()
    assert [(key, row["value"]) for _, key, row in read_log(tmp_path / "rows.jsonl")] == [("b", 1)]


def test_the_log_is_readable_by_its_owner_only(tmp_path):
    Store(tmp_path).close()
    assert (tmp_path / "rows.jsonl").stat().st_mode & 0o077 == 0
