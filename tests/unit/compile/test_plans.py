"""What good files become."""

from __future__ import annotations

import json

from rallyflow.compile.compiler import compile_data
from rallyflow.compile.reader import read_text
from rallyflow.expressions import evaluate_template
from rallyflow.model.plan import plan_from_json, plan_to_json

HEAD = "rallyflow: 1\nname: good\n"


def plan_of(text, **given):
    return compile_data(*read_text((HEAD + text).encode(), "file.yaml"), given)


def ids(text):
    return [step.id for step in plan_of(text).steps]


def matrix(text):
    return ids(f"steps:\n  a: {{uses: noop, matrix: {text}}}\n")


def test_the_last_axis_changes_fastest_and_interleaved_turns_that_round():
    assert matrix("{n: [1, 2], m: [x, w]}") == ["a[n=1,m=x]", "a[n=1,m=w]", "a[n=2,m=x]", "a[n=2,m=w]"]
    assert matrix("{n: [1, 2], m: [x, w], order: interleaved}") == [
        "a[n=1,m=x]",
        "a[n=2,m=x]",
        "a[n=1,m=w]",
        "a[n=2,m=w]",
    ]


def test_a_random_order_is_the_same_for_a_seed_and_has_every_cell():
    numbers = "{n: [1, 2, 3, 4, 5, 6, 7, 8], order: random, seed: %s}"
    assert matrix(numbers % 1) == matrix(numbers % 1)
    assert matrix(numbers % 1) != matrix(numbers % 2)
    assert sorted(matrix(numbers % 1)) == sorted(matrix("{n: [1, 2, 3, 4, 5, 6, 7, 8]}"))


def test_exclude_takes_cells_away_and_include_adds_some():
    text = "{n: [1, 2], m: [true, false], exclude: [{n: 1, m: true}], include: [{n: 9, m: true}]}"
    assert matrix(text) == ["a[n=1,m=false]", "a[n=2,m=true]", "a[n=2,m=false]", "a[n=9,m=true]"]
    assert matrix("{include: [{k: 1}, {k: 2}]}") == ["a[k=1]", "a[k=2]"]
    assert matrix("{n: [[1], {b: 2}], exclude: [{n: [1]}]}") == ["a[n={'b': 2}]"]


def test_an_expression_alone_keeps_its_type_and_in_a_text_becomes_text():
    plan = plan_of(
        "params: {n: {type: int, default: 3}, on: {type: bool, default: true}, l: {type: list(str), default: [a]}}\n"
        'steps:\n  a: {uses: noop, with: {value: {n: "${{ params.n * 2 }}", t: "n=${{ params.n }} ${{ params.on }}",'
        ' l: "${{ params.l + [\'b\'] }}", d: "${{ {1: params.n} }}"}}}\n',
        n=4,
    )
    assert plan.step("a").inputs["value"] == {"n": 8, "t": "n=4 true", "l": ["a", "b"], "d": {1: 4}}


def test_references_and_needs_are_edges_and_the_order_is_the_files_where_there_is_a_choice():
    text = (
        'steps:\n  d: {uses: noop, with: {value: "${{ steps.b.value }}"}}\n  c: {uses: noop, needs: [a]}\n'
        "  b: {uses: noop}\n  a: {uses: noop}\n"
    )
    plan = plan_of(text)
    assert [step.id for step in plan.steps] == ["b", "d", "a", "c"]
    assert plan.step("d").needs == ("b",)
    assert plan.step("d").deferred[0].source == "${{ steps.b.value }}"


def test_a_reference_with_where_waits_for_one_cell_only():
    plan = plan_of(
        "steps:\n  a: {uses: noop, matrix: {n: [1, 2]}}\n  b:\n    uses: noop\n    matrix: {n: [1, 2]}\n"
        '    with: {value: "${{ steps.a.where(n=matrix.n).value }}"}\n'
        '  c: {uses: noop, with: {value: "${{ steps.a.value }}"}}\n'
    )
    assert plan.step("b[n=2]").needs == ("a[n=2]",)
    assert plan.step("c").needs == ("a",)
    assert plan.groups["a"] == ("a[n=1]", "a[n=2]")


def test_a_fingerprint_changes_with_inputs_and_with_what_is_upstream_and_with_nothing_else():
    text = 'steps:\n  a: {uses: noop, with: {value: %s}}\n  b: {uses: noop, with: {value: "${{ steps.a.value }}"}}\n'
    one, two = plan_of(text % 1), plan_of(text % 2)
    again = plan_of("description: other\n" + text % 1)
    assert one.step("b").fingerprint != two.step("b").fingerprint
    assert one.step("b").components["inputs"] == two.step("b").components["inputs"]
    assert [step.fingerprint for step in one.steps] == [step.fingerprint for step in again.steps]


def test_a_plan_survives_its_journey_through_json():
    plan = plan_of(
        "steps:\n  a: {uses: shell, with: {run: ls}, matrix: {n: [1, 2]}, retry: {attempts: 3, on: [timeout]},"
        " locks: [x], timeout: 1m, if: always()}\n"
        '  b: {uses: noop, with: {value: ["${{ steps.a.stdout }}"]}}\noutputs: {o: "${{ steps.b.value }}"}\n'
    )
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_mappings_keys_come_before_its_methods():
    values = {"steps": {"a": {"items": [1], "keys": 2}}}
    assert evaluate_template("${{ steps.a.items }}", values) == [1]
    assert evaluate_template("${{ steps.a.keys }}", values) == 2
    assert evaluate_template("${{ steps.a['items'][0] + 1 }}", values) == 2
