"""What the compiler knows of an expression before any step has run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter

from rallyflow.compile import types
from rallyflow.compile.inference import CellsOf, Record, TypeProblem, infer
from rallyflow.expressions import Cells, ExpressionError, parse


class Disk(BaseModel):
    size: int
    label: str
    speed: float | None = None


class Machine(BaseModel):
    name: str
    cores: int
    disks: tuple[Disk, ...]
    folder: Path
    labels: dict[str, str] = {}
    spare: bool = False


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int


class Outputs(BaseModel):
    machine: Machine
    machines: list[Machine]
    mean: float | None = None
    items: list[int] = []
    anything: Any = None


PARAMS = {
    "n": int,
    "f": float,
    "s": str,
    "flag": bool,
    "words": list[str],
    "numbers": list[int],
    "table": dict[str, int],
    "maybe": int | None,
}
NAMES = {
    "params": Record(PARAMS, "param", "RF0242"),
    "steps": Record({"one": Outputs, "many": CellsOf(Outputs, ("users", "fast")), "loose": Loose}, "step", "RF0220"),
    "matrix": Record({"users": int}, "matrix axis", "RF0243"),
    "item": Disk,
}


def type_of(source):
    return infer(parse(source).body, NAMES)


def problem_of(source):
    with pytest.raises(TypeProblem) as caught:
        type_of(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "name"),
    [
        *(
            ("params.n", "whole number"),
            ("steps.one.machine", "Machine"),
            ("steps.one.machines[0].disks", "list of Disk"),
        ),
        *(
            ("steps.one.machines[-1].disks[0].size", "whole number"),
            ("item.label", "text"),
            ("item['size']", "whole number"),
        ),
        *(("steps.one.machines[1:]", "list of Machine"), ("params.s[0]", "text"), ("params.table.x", "whole number")),
        *(("steps.one.items", "list of whole numbers"), ("steps.one.machine.labels.items()", "list of list of texts")),
        *(("steps.many.mean", "list of numbers"), ("steps.many.machine[0].name", "text")),
        *(("steps.many.where(users=5).machine.name", "text"), ("steps.one.anything.what.ever[3]()", "value")),
        *(("steps.loose.other", "value"), ("params.n + 1", "whole number"), ("params.n / 2", "number")),
        *(("params.n * params.f", "number"), ("params.words + ['x']", "list of texts"), ("params.s ~ 1", "text")),
        *(("params.n > 1 and params.flag", "true or false"), ("params.maybe or 'x'", "whole number or text")),
        *(("params.n if params.flag else params.s", "whole number or text"), ("not params.n", "true or false")),
        *(
            ("'a' in params.table", "true or false"),
            ("params.n is even", "true or false"),
            ("range(3)", "list of whole numbers"),
        ),
        *(
            ("params.words | first", "text"),
            ("params.numbers | max", "whole number"),
            ("params.words | length", "whole number"),
        ),
        *(
            ("steps.one.machines | map(attribute='name') | join(',')", "text"),
            ("params.words | map('length')", "list of whole numbers"),
        ),
        *(("steps.one.machines | map(attribute='disks.0.size') | sum", "whole number"), ("params.n | string", "text")),
        *(("steps.one.machines | selectattr('cores', 'gt', 4)", "list of Machine"), ("params.s | from_json", "value")),
        *(
            ("steps.one.machines | sort(attribute='cores,name') | last", "Machine"),
            ("params.table | items", "list of list of text or whole number"),
        ),
        *(
            ("params.s.split(',')", "list of texts"),
            ("params.table.keys()", "list of texts"),
            ("params.table.get('x', 0)", "whole number"),
        ),
        *(
            ("success()", "true or false"),
            ("params", "map"),
            ("[1, 'a']", "list of whole number or text"),
            ("none", "null"),
        ),
        *(
            ("steps.one.mean | default(0)", "number or whole number"),
            ("params.s | duration", "number"),
            ("-params.n", "whole number"),
        ),
    ],
)
def test_the_type_of_an_expression_follows_from_those_of_its_names(source, name):
    assert types.name_of(type_of(source)) == name


@pytest.mark.parametrize(
    ("source", "code", "what"),
    [
        ("steps.one.machines[0].cors", "RF0223", "steps.one.machines[0] is a Machine; it has no field 'cors'"),
        ("steps.one.machine.cors + 1", "RF0223", "steps.one.machine is a Machine; it has no field 'cors'"),
        ("steps.one.machine.get", "RF0241", "steps.one.machine.get is a function, not a value"),
        ("steps.one.machines.name", "RF0223", "steps.one.machines is a list of Machine; it has no field 'name'"),
        ("steps.one.machins", "RF0223", "step 'one' has no output 'machins'"),
        ("steps.many.machin", "RF0223", "step 'many' has no output 'machin'"),
        ("steps.many", "RF0224", "steps.many is a step with several cells"),
        ("steps.many.where(user=1).mean", "RF0243", "the matrix of steps.many has no axis 'user'"),
        ("steps.one.where(users=1)", "RF0243", "steps.one has no cells to choose from with where()"),
        ("steps.won.mean", "RF0220", "there is no step 'won'"),
        ("params.m", "RF0242", "there is no param 'm'"),
        ("matrix.user", "RF0243", "there is no matrix axis 'user'"),
        ("nothing", "RF0241", "there is no name 'nothing'"),
        ("sucess()", "RF0241", "there is no function 'sucess'"),
        ("always", "RF0241", "always is a function, not a value"),
        ("params.n()", "RF0241", "params.n is a whole number, not a function"),
        ("params.numbers + 1", "RF0224", "'+' can't be used between a list of whole numbers and a whole number"),
        ("params.s + params.n", "RF0224", "'+' can't be used between a text and a whole number"),
        ("params.s * 2", "RF0224", "'*' can't be used between a text and a whole number"),
        ("params.s < params.n", "RF0224", "'<' can't be used between a text and a whole number"),
        ("1 in params.n", "RF0224", "'in' can't be used between a whole number and a whole number"),
        ("-params.words", "RF0224", "'-' is for numbers only, not for a list of texts"),
        ("params.n | length", "RF0224", "params.n is a whole number; the filter 'length' can't be used on it"),
        (
            "params.numbers | map('length')",
            "RF0224",
            "params.numbers[0] is a whole number; the filter 'length' can't be used on it",
        ),
        ("params.numbers | map('lenth')", "RF0241", "there is no filter 'lenth'"),
        ("params.words | select('evn')", "RF0241", "there is no test 'evn'"),
        ("params.words is even", "RF0224", "params.words is a list of texts; the test 'even' can't be used on it"),
        ("params.s is gt(1)", "RF0224", "'>' can't be used between a text and a whole number"),
        (
            "params.n | round(1, 'ceil', 3)",
            "RF0241",
            "the filter 'round' can't be used like that: too many positional arguments",
        ),
        (
            "steps.one.machines | map(attribute='disks.name')",
            "RF0223",
            "steps.one.machines[0].disks is a list of Disk; it has no field 'name'",
        ),
        (
            "steps.one.machines | selectattr('core')",
            "RF0223",
            "steps.one.machines[0] is a Machine; it has no field 'core'",
        ),
        (
            "steps.one.machines | sort(attribute='name,core')",
            "RF0223",
            "steps.one.machines[0] is a Machine; it has no field 'core'",
        ),
        ("steps.one.machines | sort", "RF0224", "values of the type Machine have no order"),
        ("params.words | sum", "RF0224", "'+' can't be used between a whole number and a text"),
        ("params.words['first']", "RF0223", "params.words is a list of texts; it has no field 'first'"),
        ("params.words[1.5]", "RF0223", "params.words is a list of texts; it has no item [1.5]"),
        ("params.n[1:]", "RF0223", "params.n is a whole number; it can't be sliced"),
        ("range(params.s)", "RF0224", "range() takes whole numbers, not text"),
        ("params.maybe.x", "RF0223", "params.maybe is a whole number; it has no field 'x'"),
    ],
)
def test_what_can_never_have_a_value_is_a_problem_in_the_words_of_the_file(source, code, what):
    problem = problem_of(source)
    assert (problem.code, problem.what) == (code, what)


def test_a_problem_says_what_was_probably_meant():
    assert problem_of("steps.one.machines[0].cors").hint == "did you mean 'cores'?"
    assert "steps.one.machines[0].name" in problem_of("steps.one.machines.name").hint
    assert "'~'" in problem_of("params.s + 1").hint


# --- sound: what is inferred is what comes out ---

TEXTS = st.sampled_from(["", "a", "b", "5", "x,y", "1.5"])
NUMBERS = st.integers(-3, 9)
DISKS = st.builds(Disk, size=NUMBERS, label=TEXTS, speed=st.none() | st.sampled_from([0.5, 2.0]))
MACHINES = st.builds(
    Machine,
    name=TEXTS,
    cores=NUMBERS,
    disks=st.lists(DISKS, min_size=2, max_size=3).map(tuple),
    folder=st.just(Path("/a/b")),
    labels=st.dictionaries(st.sampled_from("ab"), TEXTS, min_size=1),
    spare=st.booleans(),
)
OUTPUTS = st.builds(
    Outputs,
    machine=MACHINES,
    machines=st.lists(MACHINES, min_size=2, max_size=2),
    mean=st.none() | st.sampled_from([0.5, 3.0]),
    items=st.lists(NUMBERS, min_size=2, max_size=3),
    anything=st.none() | NUMBERS | TEXTS,
).map(lambda outputs: outputs.model_dump(mode="json"))
PARAM_VALUES = st.fixed_dictionaries(
    {
        "n": NUMBERS,
        "f": st.sampled_from([0.0, 1.5, -2.0]),
        "s": TEXTS,
        "flag": st.booleans(),
        "words": st.lists(TEXTS, min_size=2, max_size=3),
        "numbers": st.lists(NUMBERS, min_size=2, max_size=3),
        "table": st.dictionaries(st.sampled_from("ab"), NUMBERS, min_size=1),
        "maybe": st.none() | NUMBERS,
    }
)
VALUES = st.builds(
    lambda params, one, two, item: {
        "params": params,
        "steps": {
            "one": one,
            "many": Cells([({"users": 1, "fast": True}, one), ({"users": 2, "fast": True}, two)]),
            "loose": {"known": 1},
        },
        "matrix": {"users": 1},
        "item": item.model_dump(mode="json"),
        **dict.fromkeys(("success", "failure", "always"), lambda: True),
    },
    PARAM_VALUES,
    OUTPUTS,
    OUTPUTS,
    DISKS,
)
ROOTS = st.sampled_from(
    [
        *(f"params.{name}" for name in PARAMS),
        *(f"steps.one.{name}" for name in Outputs.model_fields),
        *(f"steps.many.{name}" for name in Outputs.model_fields),
        *("steps.many.where(users=1)", "steps.one", "steps.many", "item", "matrix.users", "params.oops", "none"),
        *("1", "2.5", "'a'", "'5'", "true", "[]", "[1, 'a']", "{'a': 1}", "(1, 'x')"),
    ]
)
CERTAIN = (
    *("{0}.name", "{0}.size", "{0}.cores", "{0}.disks", "{0}.labels", "{0}.folder", "{0}['label']", "{0}[0]", "{0}[1]"),
    *("({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / {1})", "({0} % {1})", "({0} // {1})", "({0} ~ {1})"),
    *("({0} == {1})", "({0} < {1})", "({0} >= {1})", "({0} in {1})", "-{0}", "(not {0})", "{0}[{1}]", "[{0}, {1}]"),
    *(
        "({0}, {1})",
        "{{'a': {0}, 'b': {1}}}",
        "{0}.keys()",
        "{0}.values()",
        "{0}.items()",
        "{0}.upper()",
        "{0}.count({1})",
    ),
    *("{0}.startswith({1})", "{0}.get('name')", "{0}.get('nope', {1})", "{0}.partition(',')"),
    *(
        "{0}|length",
        "{0}|first",
        "{0}|last",
        "{0}|list",
        "{0}|reverse",
        "{0}|string",
        "{0}|json",
        "{0}|abs",
        "{0}|round",
    ),
    *(
        "{0}|int",
        "{0}|float",
        "{0}|int({1})",
        "{0}|upper",
        "{0}|join(',')",
        "{0}|items",
        "{0}|map('string')",
        "{0}|min",
    ),
    *("{0}|map(attribute='size')", "{0}|map(attribute='disks.0.label')", "{0}|map('length')", "{0}|sort", "{0}|unique"),
    *("{0}|sort(attribute='cores')", "{0}|sum", "{0}|sum(attribute='size')", "{0}|sum(start={1})", "{0}|max"),
    *("{0}|map('int', {1})", "{0}|replace('a', 'b')", "{0}|trim", "{0}|basename", "({0} is string)", "({0} is even)"),
)
PERHAPS = (
    *(
        "({0} and {1})",
        "({0} or {1})",
        "({0} if {1} else 1)",
        "({0} if {1})",
        "{0}|default({1})",
        "{0}|default({1}, true)",
    ),
    *("({0} is defined)", "{0}[1:]", "{0}[::-1]", "{0}|select", "{0}|select('string')", "{0}|selectattr('name')"),
    *(
        "{0}|rejectattr('size', 'gt', {1})",
        "{0}|split(',')",
        "{0}.split(',')",
        "range({0})",
        "success()",
        "{0}|from_json",
    ),
    *(
        "{0}|duration",
        "{0}|size",
        "({0} < {1} < 3)",
        "{0}|map(attribute='speed', default={1})",
        "({0} ** {1})",
        "{0}|reject('in', {1})",
    ),
)


def expressions(forms):
    def grown(inner):
        return st.builds(
            lambda form, left, right: ("({})" if "|" in form else "{}").format(form.format(left, right)),
            st.sampled_from(forms),
            inner,
            inner,
        )

    return st.recursive(ROOTS, grown, max_leaves=4)


def outcome(source, values):
    """Return whether an expression has a value, and which."""
    try:
        return True, parse(source).evaluate(values)
    except ExpressionError:
        return False, None


@settings(max_examples=200, deadline=None)
@given(expressions(CERTAIN + PERHAPS), VALUES)
def test_every_value_has_the_type_that_was_inferred(source, values):
    worked, value = outcome(source, values)
    try:
        inferred = type_of(source)
    except TypeProblem:
        return
    assume(worked)
    TypeAdapter(inferred).validate_python(value)


@settings(max_examples=200, deadline=None)
@given(expressions(CERTAIN), VALUES)
def test_what_is_a_problem_never_has_a_value(source, values):
    """True of expressions that evaluate all of their parts, over lists with several items."""
    try:
        type_of(source)
    except TypeProblem as problem:
        assert outcome(source, values) == (False, None), problem.what  # noqa: PT017 - there is no problem otherwise
