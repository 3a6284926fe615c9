from __future__ import annotations

import pytest

from rallyflow.compile.diagnostics import Diagnostics, Source
from rallyflow.compile.params import resolve_params
from rallyflow.model.params import read_value
from rallyflow.model.workflow import Param


def param(kind, **fields):
    return Param.model_validate({"type": kind, **fields})


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        *(
            ("str", "x", "x"),
            ("str", 5, "5"),
            ("int", 5, 5),
            ("int", " +7 ", 7),
            ("float", "1.5", 1.5),
            ("float", 2, 2.0),
        ),
        *(("bool", "TRUE", True), ("bool", False, False), ("duration", "1h30m", 5400.0), ("duration", 5, 5.0)),
        *(("size", "4GiB", 4 << 30), ("size", 10, 10), ("rate", "30/min", 0.5), ("percent", "2.5%", 0.025)),
        *(
            ("list(int)", ["1", 2], [1, 2]),
            ("map(duration)", {"a": "1m"}, {"a": 60.0}),
            ("list(list(int))", [[1]], [[1]]),
        ),
        ("list(percent)", ["50%"], [0.5]),
    ],
)
def test_a_value_is_read_as_its_type(kind, given, value):
    assert read_value(param(kind), given) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *(("str", True), ("str", [1]), ("int", 1.5), ("int", True), ("int", "1.0"), ("int", None), ("float", "x")),
        *(
            ("float", "nan"),
            ("float", float("inf")),
            ("float", 10**400),
            ("float", False),
            ("bool", "yes"),
            ("bool", 1),
        ),
        *(("duration", "5 minutes"), ("duration", float("nan")), ("duration", 10**400), ("size", "4 GB of it")),
        *(
            ("size", float("inf")),
            ("rate", "5"),
            ("percent", "101%"),
            ("percent", 50),
            ("list(int)", 5),
            ("map(int)", [1]),
        ),
        *(("list(int)", [1, "x"]), ("map(int)", {"a": "x"})),
    ],
)
def test_a_value_of_another_kind_is_refused(kind, given):
    with pytest.raises(ValueError, match=r"is not|is too|not a"):
        read_value(param(kind), given)


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (param("int", min=2, max=4), [2, 4], [1, 5]),
        (param("list(int)", max=4), [[1, 4]], [[1, 5]]),
        (param("str", pattern="[a-z]+"), ["abc"], ["abc1", "", "a\n"]),
        (param("enum", choices=["a", 1]), ["a", 1], ["b", 2]),
        (param("size", max=1024), ["1KiB"], ["1.1KiB"]),
        (param("map(float)", min=0), [{"a": 0}], [{"a": -0.1}]),
    ],
)
def test_bounds_hold_for_the_value_and_for_each_item(spec, good, bad):
    for value in good:
        read_value(spec, value)
    for value in bad:
        with pytest.raises(ValueError, match=r"than|match|one of"):
            read_value(spec, value)


def resolved(specs, given=None, environment=None):
    errors = Diagnostics(Source("file", []))
    return resolve_params(specs, given or {}, errors, environment or {}), errors.found


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        (param("list(int)"), "1,2, 3", [1, 2, 3]),
        (param("list(int)"), "[1, 2]", [1, 2]),
        (param("list(str)"), "a", ["a"]),
        (param("list(int)"), "", []),
        (param("map(int)"), "{a: 1}", {"a": 1}),
        (param("str"), "[1", "[1"),
        (param("enum", choices=[1, "b"]), "1", 1),
        (param("bool"), "true", True),
    ],
)
def test_texts_from_the_command_line_and_the_environment_are_read_alike(spec, text, value):
    assert resolved({"my-list": spec}, {"my-list": text}) == ({"my-list": value}, [])
    assert resolved({"my-list": spec}, environment={"RALLYFLOW_PARAM_MY_LIST": text}) == ({"my-list": value}, [])


@pytest.mark.parametrize("text", ["[", "1: 2: 3", "[yes]", "[010]", "[" * 2000, "\ud800", "[\x00]", "&a [*a]"])
def test_texts_that_can_not_be_read_are_errors_that_name_their_origin(text):
    values, found = resolved({"p": param("list(int)")}, environment={"RALLYFLOW_PARAM_P": text})
    assert values == {}
    assert [each.code for each in found] == ["RF0304"]
    assert "from RALLYFLOW_PARAM_P" in found[0].what


def test_given_comes_before_the_environment_before_the_default():
    specs = {"p": param("int", default=1)}
    environment = {"RALLYFLOW_PARAM_P": "2"}
    assert resolved(specs)[0] == {"p": 1}
    assert resolved(specs, environment=environment)[0] == {"p": 2}
    assert resolved(specs, {"p": "3"}, environment)[0] == {"p": 3}
    assert [each.code for each in resolved(specs, {"q": "3"})[1]] == ["RF0302"]
    assert [each.code for each in resolved({"p": param("int")})[1]] == ["RF0303"]


def test_a_list_of_texts_may_be_given_as_words_with_commas():
    errors = Diagnostics(Source("x.yaml", []))
    specs = {"words": Param(type="list(str)"), "flags": Param(type="list(bool)"), "counts": Param(type="list(int)")}
    given = {"words": "x,y, no", "flags": "true,false", "counts": "1, 5"}
    values = resolve_params(specs, given, errors, environment={})
    assert values == {"words": ["x", "y", "no"], "flags": [True, False], "counts": [1, 5]}
    assert errors.found == []
