"""What expressions mean: what Jinja2's expressions mean, without anything that could do harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from rallyflow.expressions import Cells, ExpressionError, evaluate_template, parse, render

VALUES: dict[str, Any] = {
    "params": {"n": 3, "f": 2.5, "s": "Ab,c", "flag": True, "words": ["b", "A", "c"], "table": {"x": 1, "y": [1, 2]}},
    "rows": [{"name": "one", "size": 3, "tags": ["a"]}, {"name": "Two", "size": 1, "tags": []}],
    "nothing": None,
}
CELLS = Cells(
    [({"users": 1, "fast": True}, {"mean": 1.5}), ({"users": 2, "fast": True}, {"mean": 2.5}), ({"users": 3}, {})]
)


def value(source, **more):
    return parse(source).evaluate({**VALUES, **more})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        *(("1 + 2 * 3", 7), ("7 // 2", 3), ("7 % 2", 1), ("2 ** 3", 8), ("1 / 2", 0.5), ("-params.n", -3), ("+1", 1)),
        *(("1 < 2 < 3", True), ("1 < 2 > 3", False), ("not true", False), ("1 if false else 2", 2), ("'a' ~ 1", "a1")),
        *(
            ("params.s[0]", "A"),
            ("params.words[-1]", "c"),
            ("params.words[1:]", ["A", "c"]),
            ("params.s[::-1]", "c,bA"),
        ),
        *(("params.table.y[0]", 1), ("params['table']['x']", 1), ("rows.0.name", "one"), ("{'a': [1]}.a", [1])),
        *(
            ("'b' in params.words", True),
            ("'z' not in params.words", True),
            ("'x' in params.table", True),
            ("'b' in 'abc'", True),
        ),
        *(
            ("params.nope | default('d')", "d"),
            ("nope | default(1)", 1),
            ("'' | default(2, true)", 2),
            ("rows[9] | default(0)", 0),
        ),
        *(("params.nope is defined", False), ("params.n is defined", True), ("nope is undefined", True)),
        *(
            ("nothing is none", True),
            ("3 is odd", True),
            ("3 is divisibleby 3", True),
            ("1 is in [1]", True),
            ("2 is gt 1", True),
        ),
        *(
            ("'a' is string", True),
            ("1.0 is float", True),
            ("1 is integer", True),
            ("true is integer", False),
            ("true is boolean", True),
        ),
        *(("{} is mapping", True), ("[] is sequence", True), ("1 is number", True), ("1 is not none", True)),
        *(
            ("rows | map(attribute='name') | list", ["one", "Two"]),
            ("rows | map(attribute='tags.0', default='-')", ["a", "-"]),
        ),
        *(
            ("rows | selectattr('size', 'gt', 1) | map(attribute='name') | first", "one"),
            ("rows | sum(attribute='size')", 4),
        ),
        *(
            ("rows | rejectattr('tags') | map(attribute='name') | join", "Two"),
            ("rows | sort(attribute='size') | last", VALUES["rows"][0]),
        ),
        *(
            ("params.words | sort", ["A", "b", "c"]),
            ("params.words | sort(case_sensitive=true, reverse=true)", ["c", "b", "A"]),
        ),
        *(
            ("['a', 'A', 'b'] | unique", ["a", "b"]),
            ("[[1], [1], {'a': 1}] | unique", [[1], {"a": 1}]),
            ("[3, 1] | min", 1),
        ),
        *(
            ("rows | max(attribute='size')", VALUES["rows"][0]),
            ("[1, 2, 3] | select('odd')", [1, 3]),
            ("[0, 1] | reject", [0]),
        ),
        *(
            ("[[1], [2]] | sum(start=[])", [1, 2]),
            ("[1, none, true] | join('-')", "1-null-true"),
            ("'a-b' | split('-')", ["a", "b"]),
        ),
        *(
            ("'12' | int", 12),
            ("'1.5' | float", 1.5),
            ("'x' | int(7)", 7),
            ("'ff' | int(base=16)", 255),
            ("'x' | float", 0.0),
        ),
        *(
            ("2.567 | round(2)", 2.57),
            ("2.1 | round(0, 'ceil')", 3.0),
            ("2.9 | round(method='floor')", 2.0),
            ("-3 | abs", 3),
        ),
        *(
            ("'a b' | title", "A B"),
            ("'aXb' | lower", "axb"),
            ("' x ' | trim", "x"),
            ("'abab' | replace('a', 'c', 1)", "cbab"),
        ),
        *(
            ("params.table | items", [["x", 1], ["y", [1, 2]]]),
            ("params.table | length", 2),
            ("params.table | list", ["x", "y"]),
        ),
        *(
            ("{'b': [1, none]} | json", '{"b":[1,null]}'),
            ("'[1, {}]' | from_json", [1, {}]),
            ("[1, 2] | reverse", [2, 1]),
        ),
        *(("'/a/b.txt' | basename", "b.txt"), ("'1h30m' | duration", 5400.0), ("'4GiB' | size", 4 << 30)),
        *(("params.s.split(',')", ["Ab", "c"]), ("params.table.get('z', 5)", 5), ("params.table.keys()", ["x", "y"])),
        *(
            ("range(3)", [0, 1, 2]),
            ("range(5, 1, -2)", [5, 3]),
            ("params.words.index('c')", 2),
            ("'a,b'.partition(',')", ["a", ",", "b"]),
        ),
        *(("nothing or 'x'", "x"), ("0 and nope", 0), ("true or nope", True), ("1 if true", 1), ("(1, 2)", [1, 2])),
        *(("'it\\'s' ~ \"}}\"", "it's}}"), ("[] | first | default('empty')", "empty"), ("{1: 'a'}[1]", "a")),
    ],
)
def test_the_value_of_an_expression(source, expected):
    found = value(source)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("params.nope", "params has no 'nope'"),
        ("params.nope + 1", "'params.nope + 1' has no value: params has no 'nope'"),
        ("params.nope.deep", "'params.nope.deep' has no value: params has no 'nope'"),
        ("params.nope.deep | default(1)", "params has no 'nope'"),
        ("params.words[3]", "params.words has 3 items, and so no item 3"),
        ("nope", "there is no name 'nope'"),
        ("nope()", "there is no name 'nope'"),
        ("not nope", "there is no name 'nope'"),
        ("nope == 1", "there is no name 'nope'"),
        ("1 if false", "false does not hold, and there is no else"),
        ("1 + 'a'", "'+' can't be used between a number and a text"),
        ("[1] < 'a'", "'<' can't compare a list with a text"),
        ("1 in 2", "nothing can be in a number"),
        ("1 in 'a'", "only a text can be in a text, not a number"),
        ("[1, 'a'] | sort", "values of different kinds have no order"),
        ("[{}, {}] | max", "values of different kinds have no order"),
        ("params.s.upper", "a function is not a value"),
        ("params.s.upper + 'a'", "a function is not a value"),
        ("fn", "a function is not a value"),
        ("fn and 1", "a function is not a value"),
        ("cells", "a step with a matrix is not a value"),
        ("cells == 1", "a step with a matrix is not a value"),
        ("cells.where(users=9)", "where(users=9) matches 0 cells; it must match exactly one"),
        ("cells.where(fast=true)", "where(fast=True) matches 2 cells; it must match exactly one"),
        ("cells.nope", "the cells have no output 'nope'"),
        ("[1] | map('nope')", "there is no filter 'nope'"),
        ("[1] | select('nope')", "there is no test 'nope'"),
        ("''.__class__", "'__class__' of a str can't be used in an expression"),
        ("''['__class__']", "'__class__' of a str can't be used in an expression"),
        ("[''] | map(attribute='__class__') | list", "can't be used in an expression"),
        ("cells.__init__", "'__init__' can't be used in an expression"),
        ("[].append(1)", "'append' of a list can't be used in an expression"),
        ("fn.__globals__", "'__globals__' of a function can't be used in an expression"),
        ("{none: 1}", "the keys of a mapping must all be texts, or all be numbers"),
        ("'\\ud800'", "half of a character"),
        ("fn(1)", "takes 0 positional arguments"),
        ("1(2)", "1 is not a function"),
    ],
)
def test_what_has_no_value_says_why(source, what):
    with pytest.raises(ExpressionError) as caught:
        value(source, cells=CELLS, fn=lambda: True)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("", "an empty expression"),
        ("1 +", "unexpected end of the expression"),
        ("1 2", "expected the end of the expression, got 'integer'"),
        ("x.append(*y)", "'*' and '**' before arguments can't be used in an expression"),
        ("x | nope", "there is no filter 'nope'"),
        ("x is nope", "there is no test 'nope'"),
        ("x }} y {{ z", "not one expression"),
        ("x %} {% set y = 1", "can't read the expression"),
        ("1" * 2001, "an expression of 2001 characters; at most 2000"),
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_read(source, what):
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert what in str(caught.value)


def test_a_missing_field_hints_at_the_one_that_was_meant():
    with pytest.raises(ExpressionError) as caught:
        value("params.wrods")
    assert caught.value.hint == "did you mean 'words'?"


def test_a_field_of_what_a_filter_gives_needs_parentheses():
    assert value("(rows | first).name") == "one"
    with pytest.raises(ExpressionError) as caught:
        value("rows | first.name")
    assert "(a | first).name" in caught.value.hint


def test_a_field_of_cells_is_the_list_over_those_that_have_it():
    assert value("cells.mean", cells=CELLS) == [1.5, 2.5]
    assert value("cells.where(users=2).mean", cells=CELLS) == 2.5
    assert value("cells.mean | max", cells=CELLS) == 2.5
    assert value("cells.mean", cells=Cells([({"users": 1}, {})])) == []


def test_functions_that_are_given_can_be_called():
    assert value("success() and not failure()", success=lambda: True, failure=lambda: False) is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("n=${{ params.n }}", "n=3"), ("${{ params.flag }}!", "true!"), ("${{ nothing }}.", "null.")),
        *(("${{ params.words }} x", '["b","A","c"] x'), (" ${{ params.n }}", " 3"), ("${{ params.n }}", 3)),
        *(
            ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
            ("${{ {'a': {'b': 1}}}}", {"a": {"b": 1}}),
            ("${{ '}}' }}", "}}"),
        ),
        *(
            ("${{ '${{' }} and ${{ 1 }}", "${{ and 1"),
            ("${{1}}${{2}}", "12"),
            ("no expression } }} {{", "no expression } }} {{"),
        ),
    ],
)
def test_an_expression_alone_keeps_its_type_and_becomes_text_in_a_text(text, expected):
    assert evaluate_template(text, VALUES) == expected


@pytest.mark.parametrize("text", ["${{ 1", "a ${{ 1 } }", "${{ 'it }}", "${{ {'a': 1 }}", "${{ }}"])
def test_braces_that_do_not_close_are_an_error(text):
    with pytest.raises(ExpressionError):
        evaluate_template(text, VALUES)


def test_a_value_that_comes_out_is_nobody_elses():
    value("params.words").append("changed")
    assert VALUES["params"]["words"] == ["b", "A", "c"]


# --- as Jinja2 has it ---

JINJA = NativeEnvironment(undefined=StrictUndefined)
ATOMS = st.sampled_from(
    [
        *(
            "1",
            "0",
            "-2",
            "2.5",
            "'a'",
            "'Ab c'",
            "''",
            "true",
            "none",
            "[]",
            "[1, 2, 3]",
            "['b', 'A', 'b']",
            "{'a': 1, 'b': 2}",
        ),
        *("params.n", "params.f", "params.s", "params.words", "params.table", "rows", "nothing", "params.nope", "nope"),
    ]
)
FORMS = (
    *("({0} + {1})", "({0} - {1})", "({0} // {1})", "({0} / {1})", "({0} == {1})", "({0} != {1})", "({0} < {1})"),
    *(
        "({0} >= {1})",
        "({0} in {1})",
        "({0} not in {1})",
        "({0} and {1})",
        "({0} or {1})",
        "(not {0})",
        "({0} if {1} else 9)",
    ),
    *(
        "({0} < {1} <= 3)",
        "{0}[0]",
        "{0}[-1]",
        "{0}[1:]",
        "{0}[::-1]",
        "{0}['a']",
        "{0}.x",
        "[{0}, {1}]",
        "{{'k': {0}}}",
    ),
    *("({0}|length)", "({0}|first)", "({0}|last)", "({0}|list)", "({0}|sort|list)", "({0}|unique|list)", "({0}|int)"),
    *(
        "({0}|float)",
        "({0}|upper if {0} is string else 0)",
        "({0}|abs)",
        "({0}|min)",
        "({0}|max)",
        "({0}|sum)",
        "({0}|default({1}))",
        "({0}|items|list)",
    ),
    *("({0}|map(attribute='size')|list)", "({0}|selectattr('size', 'ge', {1})|list)", "({0}|select('in', {1})|list)"),
    *(
        "({0}|default({1}, true))",
        "({0}|replace('a', 'x') if {0} is string else 0)",
        "({0}|map('default', {1})|list)",
        "({0}|sort(reverse=true)|list)",
    ),
    *(
        "({0} is defined)",
        "({0} is odd)",
        "({0} is divisibleby({1}))",
        "({0} is sequence)",
        "({0} is mapping)",
        "({0} is number)",
    ),
    *(
        "({0}.get('a', {1}))",
        "({0}.split(','))",
        "({0}.keys()|list)",
        "({0}.startswith('A'))",
        "({0}|float|round(1))",
        "({0}|title if {0} is string else 0)",
    ),
)
SOURCES = st.recursive(
    ATOMS,
    lambda inner: st.builds(lambda form, one, two: form.format(one, two), st.sampled_from(FORMS), inner, inner),
    max_leaves=4,
)


def as_data(found):
    if isinstance(found, tuple | list):
        return [as_data(item) for item in found]
    return {key: as_data(item) for key, item in found.items()} if isinstance(found, dict) else found


@settings(max_examples=400, deadline=None)
@given(SOURCES)
def test_whatever_has_a_value_has_the_one_that_jinja2_gives(source):
    """Not the other way round: ours knows fewer kinds of values, and never takes a missing one for false."""
    try:
        ours = value(source)
    except ExpressionError:
        return
    try:
        theirs = JINJA.compile_expression(source, undefined_to_none=False)(**VALUES)
    except Exception:  # noqa: BLE001 - whatever it is, ours is no error
        return
    assert (ours, repr(ours)) == (as_data(theirs), repr(as_data(theirs)))


@settings(max_examples=200, deadline=None)
@given(SOURCES)
def test_the_rendered_source_of_an_expression_means_the_same(source):
    body = parse(source).body
    again = render(body)
    assert render(parse(again).body) == again
    try:
        expected = value(source)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            value(again)
    else:
        assert value(again) == expected
