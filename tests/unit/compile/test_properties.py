"""Whatever is in a file or an expression: a plan, a value, or errors of ours."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rallyflow.compile.compiler import compile_data
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid
from rallyflow.expressions import ExpressionError, evaluate_template, parse, parse_template

KEYS = st.sampled_from(
    [
        "rallyflow",
        "name",
        "params",
        "secrets",
        "defaults",
        "steps",
        "teardown",
        "ttl",
        "outputs",
        "uses",
        "with",
        "needs",
        "matrix",
        "if",
        "timeout",
        "retry",
        "locks",
        "type",
        "default",
        "min",
        "max",
        "choices",
        "pattern",
        "attempts",
        "include",
        "exclude",
        "order",
        "seed",
        "value",
        "run",
        "<<",
        "foreach",
        "limits",
        "on_failure",
        "types",
        "attempt",
        "step",
        "env",
        "file",
        "noop",
        "deploy",
        "a",
        "b",
        "n",
    ]
)
EXPRESSIONS = st.sampled_from(
    [
        *(
            "${{ params.a }}",
            "${{ params.b.c }}",
            "${{ steps.a.value }}",
            "${{ steps.a }}",
            "${{ steps.a.where(n=1) }}",
        ),
        *("${{ matrix.n }}", "${{ run.id }}", "${{ secrets.a }}", "${{ [params.a, matrix.n] }}", "${{ range(3) }}"),
        *("${{ item }}", "${{ item.a }}", "${{ steps.a.value | map(attribute='x') | list }}", "${{ params }}"),
        *(
            "${{ steps.b.stdout.split() }}",
            "${{ steps.a.exit_code + 1 }}",
            "${{ params.n | length }}",
            "${{ item[0] }}",
        ),
        *("${{", "${{ }}", "x ${{ 1 / 0 }} y", "${{ 1 if 0 }}", "${{ failure }}", "${{ failure() }}", "}}"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    KEYS,
    EXPRESSIONS,
    st.sampled_from(["noop", "shell", "deploy/embedded", "benchmark", "1h", "int", "list(int)", "random", "always"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5),
    max_leaves=12,
)
USES = [
    *(
        "noop",
        "shell",
        "wait",
        "approve",
        "provision/local",
        "verify/api",
        "deploy/embedded",
        "benchmark",
        "report/html",
    ),
    *("./nowhere.yaml", "catalog/nothing@1", "workflow", "nope", "deploy"),
]
STEPS = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {"uses": st.sampled_from(USES)},
        optional={
            "with": st.dictionaries(
                st.sampled_from(["value", "run", "cloud", "servers", "for", "message", "of"]), VALUES, max_size=2
            ),
            "needs": st.lists(st.sampled_from("abcd"), max_size=2),
            "matrix": st.dictionaries(
                st.sampled_from(["n", "m", "order", "include", "exclude", "seed"]), VALUES, max_size=3
            ),
            "if": EXPRESSIONS | VALUES,
            "timeout": VALUES,
            "retry": VALUES,
            "foreach": EXPRESSIONS | VALUES,
            "limits": VALUES,
            "locks": VALUES,
            "on_failure": st.sampled_from(["stop", "continue", "pause"]) | VALUES,
        },
    ),
    max_size=3,
)
FILES = st.fixed_dictionaries(
    {"rallyflow": st.just(1), "name": st.just("x"), "steps": STEPS | VALUES},
    optional=dict.fromkeys(("params", "secrets", "defaults", "outputs", "teardown", "ttl", "limits"), VALUES),
)
TYPED = st.fixed_dictionaries(
    {
        "rallyflow": st.just(1),
        "name": st.just("x"),
        "params": st.dictionaries(
            st.sampled_from(["a", "b", "n"]),
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(
                        ["int", "str", "list(int)", "map(str)", "duration", "enum", "Cloud", "list(Server)"]
                    )
                },
                optional={"default": VALUES, "min": VALUES, "max": VALUES, "choices": VALUES, "pattern": VALUES},
            ),
            max_size=3,
        ),
        "steps": STEPS,
    }
)
"""Files that are right in most places, so that what comes after reading is reached."""
PIECES = st.sampled_from(
    [
        "params",
        "steps",
        "matrix",
        "a",
        "n",
        ".",
        ".",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "|",
        "~",
        "+",
        "-",
        "*",
        "**",
        "/",
        "//",
        "%",
        "==",
        "<",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "1",
        "1e999",
        "'x'",
        "range",
        "success",
        "where",
        "map",
        "select",
        "join",
        "replace",
        "round",
        "items",
        "defined",
        "sameas",
        "__class__",
        "format",
        "0x10",
        "{{",
        "}}",
        "{%",
        "%}",
        "#",
        "\\",
        "\x00",
    ]
)


def compiled(raw):
    with contextlib.suppress(WorkflowInvalid):
        compile_data(*read_text(raw, "file.yaml"), {})


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw):
    compiled(raw)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*"[]{}-?:,&*!|>'\"#%@` \n\t", "a", "1", "<<", "- ", ": ", "&a ", "*a"]), max_size=60))
def test_any_punctuation(pieces):
    compiled("".join(pieces).encode())


@settings(max_examples=150, deadline=None)
@given(VALUES | FILES)
def test_any_structure(data):
    compiled(yaml.safe_dump(data, allow_unicode=True).encode(errors="replace"))


@settings(max_examples=200, deadline=None)
@given(FILES | TYPED)
def test_any_workflow(data):
    compiled(yaml.safe_dump(data).encode(errors="replace"))


def outcome_of(source):
    values = {"params": {"a": "x", "n": [1, 2]}, "steps": {"a": {}}, "matrix": {"n": 1}}
    with contextlib.suppress(ExpressionError):
        parse(source).evaluate(values)
    with contextlib.suppress(ExpressionError):
        parse_template("${{ " + source + " }}")
        evaluate_template("${{ " + source + " }}!", values)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map(" ".join) | st.lists(PIECES, max_size=14).map("".join))
def test_any_expression(source):
    outcome_of(source)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_as_an_expression(source):
    outcome_of(source)


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(FILES | TYPED)
def test_any_workflow_of_very_many(data):
    compiled(yaml.safe_dump(data).encode(errors="replace"))


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, max_size=20).map(" ".join))
def test_any_expression_of_very_many(source):
    outcome_of(source)
