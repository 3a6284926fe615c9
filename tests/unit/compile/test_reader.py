from __future__ import annotations

import pytest
import yaml

from rallyflow.compile.diagnostics import Mark
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid


def read(text):
    return read_text(text.encode(), "file.yaml")[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("5", 5), ("-5", -5), ("0", 0), ("0x10", 16), ("0o17", 15), ("0b11", 3), ("1.5", 1.5), ("1e3", 1000.0)),
        *((".5", 0.5), ("true", True), ("False", False), ("null", None), ("~", None), ("''", "")),
        *(("2026-01-02", "2026-01-02"), ("1_000", "1_000"), ("1.2.3", "1.2.3"), ("'yes'", "yes"), ('"010"', "010")),
        *(("8080:80", "8080:80"), ("none", "none"), ("=", "="), ("yes sir", "yes sir"), ("ünïcödé", "ünïcödé")),
    ],
)
def test_a_plain_scalar_means_what_it_looks_like(text, value):
    found = read(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 5", "5"),
        ("! 5", "5"),
        ('!!int "5"', 5),
        ("!!float 5", 5),
        ("!!str", ""),
        ("!!map {}", {}),
        ("!!seq []", []),
    ],
)
def test_tags_of_the_core_of_yaml_say_what_a_value_is(text, value):
    assert read(f"a: {text}\n")["a"] == value


def test_a_byte_order_mark_moves_no_column():
    _, source = read_text(b"\xef\xbb\xbfa: 1\n", "file.yaml")
    assert source.values[("a",)] == Mark(1, 4)


def test_an_anchor_may_be_set_anew():
    assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_an_alias_may_be_a_key():
    assert read("a: &x k\n*x : 1\n") == {"a": "k", "k": 1}


@pytest.mark.parametrize(
    "text", ["a: “b” and “c”", "a: b\u00a0c", "a: it\u2019s", "a: 5\u00a0s", "- “x", "a: x \u2013 y"]
)
def test_typographic_signs_inside_a_text_are_part_of_it(text):
    assert read(text + "\n")


@pytest.mark.parametrize(
    "text", ["a: [1, 2", "a: {x: ${{ y }}}", "a: 'it's'", "a:\n\tb: 1", "a: b: c", "a: *b*", "a: %5", "a: @x"]
)
def test_both_readers_of_yaml_lead_to_the_same_words(text, monkeypatch):
    """The one in C is not everywhere; their own words and places differ."""

    def said():
        with pytest.raises(WorkflowInvalid) as caught:
            read(text + "\n")
        return [(each.where, each.what, each.hint) for each in caught.value.diagnostics]

    in_c = said()
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert said() == in_c


def test_keys_are_always_text():
    assert read("1: a\nyes: b\nnull: c\n1.5: d\n") == {"1": "a", "yes": "b", "null": "c", "1.5": "d"}


def test_every_value_and_key_has_its_place_counted_in_characters():
    _, source = read_text("é: {ü: [1, zwei]}\nb:\n  - c: |\n      text\n".encode(), "file.yaml")
    assert source.keys[("é", "ü")] == Mark(1, 5)
    assert source.values[("é", "ü", 1)] == Mark(1, 12)
    assert source.keys[("b", 0, "c")] == Mark(3, 5)
    assert source.value_mark(("b", 0, "missing", "deep")) == Mark(3, 5)


def test_merges_fill_in_what_is_not_there_through_other_merges_and_in_order():
    data = read(
        "a: &a {x: 1, y: 1, z: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}\nd: {<<: [{x: 4}, *b]}\ne: {y: 9, <<: *b}\n"
    )
    assert data["c"] == {"x": 3, "y": 2, "z": 1}
    assert data["d"] == {"x": 4, "y": 2, "z": 1}
    assert data["e"] == {"x": 1, "y": 9, "z": 1}


def test_aliases_give_equal_values_of_their_own():
    data = read("a: &a [1, {b: 2}]\nc: *a\n")
    assert data["a"] == data["c"]
    assert data["a"] is not data["c"]


@pytest.mark.parametrize("text", ["a: &a {<<: *a}", "&a [*a]", "a: &a {b: &b {<<: *a}}", "a: &a {<<: [{b: 1}, *a]}"])
def test_what_contains_itself_is_refused(text):
    with pytest.raises(WorkflowInvalid) as caught:
        read(text)
    assert [each.code for each in caught.value.diagnostics] == ["RF0206"]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '["]",' * 100_000, "{a: " * 50_000, "- " * 100_000 + "a", "? " * 20_000 + "a", "-\n " * 9000 + "a"],
    ids=["lists", "hidden", "mappings", "dashes", "keys", "lines"],
)
def test_endless_nesting_is_refused_and_not_a_crash(text):
    with pytest.raises(WorkflowInvalid) as caught:
        read(text)
    assert caught.value.diagnostics[0].code in {"RF0202", "RF0206"}


def test_fifty_levels_are_allowed():
    assert read("a: " + "[" * 50 + "]" * 50)


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(WorkflowInvalid, match="1 error") as caught:
        read("# " + "x" * (5 << 20))
    assert "4 MiB" in caught.value.diagnostics[0].what
