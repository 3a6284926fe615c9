"""What is shown of a file beside an error: the right line, a caret under the place, nothing that moves a cursor."""

from __future__ import annotations

import pytest

from rallyflow.compile.diagnostics import Diagnostics, Mark, Source, excerpt
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid


def shown(line, column):
    first, second = excerpt([line], Mark(1, column)).split("\n")
    return first.removeprefix("   1 │ "), second.removeprefix("     │ ")


@pytest.mark.parametrize(
    ("line", "column", "text", "caret"),
    [
        ("key: value", 6, "key: value", "     ^"),
        ("値: 雲だ", 4, "値: 雲だ", "    ^"),  # two columns each
        ("🚀🚀: x", 5, "🚀🚀: x", "      ^"),
        ("e\u0301a: x", 5, "e\u0301a: x", "   ^"),  # an accent of its own takes no column
        ("a\tb", 3, "a→b", "  ^"),
        ("a\u00a0b", 2, "a·b", " ^"),
        ("x\u202ey\u2066z", 5, "x·y·z", "    ^"),
        ("x\x1b[31my", 3, "x·[31my", "  ^"),
        ("short", 6, "short", "     ^"),
    ],
)
def test_the_caret_is_under_its_character_whatever_stands_before_it(line, column, text, caret):
    assert shown(line, column) == (text, caret)


@pytest.mark.parametrize("column", [1, 79, 80, 81, 200, 4990, 5000])
def test_a_long_line_is_cut_around_the_place(column):
    line = "".join(chr(ord("a") + index % 26) for index in range(5000))
    text, caret = shown(line, column)
    assert len(text) <= 112
    assert text[len(caret) - 1] == line[column - 1]


def test_a_place_that_is_not_in_the_file_has_no_excerpt():
    assert excerpt([], Mark(1, 1)) == ""
    assert excerpt(["a"], Mark()) == ""


def test_a_message_is_one_line_of_a_sensible_length():
    errors = Diagnostics(Source("x.yaml", ["a"]))
    errors.at(Mark(1, 1), "RF0212", "a\nb\x1b[0m" + "x" * 10_000 + "end", "h" * 10_000)
    what, hint = errors.found[0].what, errors.found[0].hint
    assert what.startswith("a\\nb\\x1b[0mxxx")
    assert what.endswith("end")
    assert len(what) <= 510
    assert len(hint) <= 510


def test_an_error_is_noted_once_but_each_attempt_counts():
    errors = Diagnostics(Source("x.yaml", ["a"]))
    for _ in range(3):
        errors.at(Mark(1, 1), "RF0212", "what")
    assert len(errors.found) == 1
    assert errors.noted == 3


def test_after_too_many_errors_the_rest_is_not_looked_at():
    errors = Diagnostics(Source("x.yaml", ["a"]), most=3)
    errors.at(Mark(1, 1), "RF0212", "the first")
    errors.at(Mark(1, 1), "RF0212", "the second")
    with pytest.raises(WorkflowInvalid, match="3 or more errors") as caught:
        errors.at(Mark(1, 1), "RF0212", "the third")
    assert len(caught.value.diagnostics) == 3


def test_what_stands_elsewhere_is_said_to_be_used_where_the_alias_is():
    _, source = read_text(b"a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n", "x.yaml")
    errors = Diagnostics(source)
    for path in (("a", "b"), ("c", "b"), ("d", "b"), ("d", "e")):
        errors.value(path, "RF0212", f"what is at {'.'.join(path)}")
    assert [(each.where, each.used_at) for each in errors.found] == [
        ("x.yaml:1:11", ""),
        ("x.yaml:1:11", "x.yaml:2:4"),
        ("x.yaml:1:11", "x.yaml:3:9"),
        ("x.yaml:3:16", ""),
    ]
