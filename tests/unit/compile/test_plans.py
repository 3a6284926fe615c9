"""What good files become."""

from __future__ import annotations

import json

import pytest

from rallyflow.compile.compiler import compile_data, compile_file
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid
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


def test_how_many_cells_run_at_a_time_is_no_axis_and_changes_no_fingerprint():
    text = "steps:\n  a: {uses: noop, matrix: {n: [1, 2, 3]%s}}\n"
    turns, all_at_once = plan_of(text % ", max_parallel: 2"), plan_of(text % "")
    assert [step.matrix for step in turns.steps] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [step.after for step in turns.steps] == [(), (), ("a[n=1]",)]
    assert [step.fingerprint for step in turns.steps] == [step.fingerprint for step in all_at_once.steps]
    assert plan_from_json(json.loads(json.dumps(plan_to_json(turns)))) == turns


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


INNER = """rallyflow: 1
name: inner
params: {n: {type: int}, word: {default: hi}}
limits: {inside: 2}
secrets: [key]
steps:
  first: {uses: noop, with: {value: "${{ params.n }}"}}
  second: {uses: shell, needs: [first], with: {run: "echo ${{ params.word }}"}, limits: [inside]}
  always: {uses: noop, if: always()}
outputs: {word: "${{ steps.second.stdout }}", n: "${{ params.n }}"}
"""


def nested(tmp_path, text):
    (tmp_path / "inner.yaml").write_text(INNER)
    path = tmp_path / "outer.yaml"
    path.write_text(HEAD + text)
    return compile_file(path)


def test_a_workflow_that_is_a_step_becomes_its_steps_between_a_gate_and_an_end(tmp_path):
    plan = nested(
        tmp_path,
        "steps:\n  a: {uses: noop}\n  w: {uses: ./inner.yaml, needs: [a], with: {n: 5}}\n"
        "  b: {uses: noop, needs: [w]}\n",
    )
    assert [step.id for step in plan.steps] == ["a", "w/(start)", "w/first", "w/second", "w/always", "w", "b"]
    assert plan.step("w/(start)").needs == ("a",)
    assert plan.step("w/first").needs == ("w/(start)",)
    assert plan.step("w/second").needs == ("w/first",)
    assert {plan.step(f"w/{name}").gate for name in ("first", "second", "always")} == {"w/(start)"}
    assert set(plan.step("w").needs) == {"w/(start)", "w/first", "w/second", "w/always"}
    assert plan.step("b").needs == ("w",)
    assert plan.scopes["w"].params == {"n": 5, "word": "hi"}
    assert plan.step("w/first").inputs == {"value": 5}
    assert plan.limits == {"inside": 2}
    assert list(plan.secrets) == ["key"]
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_param_that_comes_from_a_step_is_read_by_the_gate_and_known_to_the_steps_inside_later(tmp_path):
    plan = nested(tmp_path, "steps:\n  a: {uses: noop}\n  w: {uses: ./inner.yaml, with: {n: '${{ steps.a.value }}'}}\n")
    gate = plan.step("w/(start)")
    assert [(place.path, place.source) for place in gate.deferred] == [(("values", "n"), "${{ steps.a.value }}")]
    assert gate.inputs["types"]["n"]["type"] == "int"
    assert plan.step("w/first").deferred[0].source == "${{ params.n }}"
    assert plan.step("w/second").inputs == {"run": "echo hi"}


def test_each_cell_of_a_matrix_has_the_workflow_of_its_own(tmp_path):
    plan = nested(tmp_path, "steps:\n  w: {uses: ./inner.yaml, matrix: {k: [1, 2]}, with: {n: '${{ matrix.k }}'}}\n")
    assert plan.groups["w"] == ("w[k=1]", "w[k=2]")
    assert [plan.step(f"w[k={k}]/first").inputs["value"] for k in (1, 2)] == [1, 2]


def test_what_a_workflow_gives_has_a_type(tmp_path):
    with pytest.raises(WorkflowInvalid) as caught:
        nested(
            tmp_path,
            "steps:\n  w: {uses: ./inner.yaml, with: {n: 5}}\n"
            "  a: {uses: shell, with: {run: '${{ steps.w.n }}', allow: '${{ steps.w.word }}'}}\n"
            "  b: {uses: noop, with: {value: '${{ steps.w.wort }}'}}\n",
        )
    assert [each.code for each in caught.value.diagnostics] == ["RF0224", "RF0224", "RF0223"]


def test_the_fingerprint_of_a_workflow_changes_with_its_file(tmp_path):
    text = "steps:\n  w: {uses: ./inner.yaml, with: {n: 5}}\n"
    one = nested(tmp_path, text)
    assert nested(tmp_path, text).step("w").fingerprint == one.step("w").fingerprint
    (tmp_path / "inner.yaml").write_text(INNER.replace("echo", "print"))
    other = compile_file(tmp_path / "outer.yaml")
    assert other.step("w").fingerprint != one.step("w").fingerprint


def test_a_foreach_step_is_one_step_until_its_list_is_known():
    plan = plan_of(
        "steps:\n  a: {uses: noop}\n  b: {uses: noop, foreach: '${{ steps.a.value }}', with: {value: '${{ item }}'}}\n"
        "  c: {uses: noop, with: {value: '${{ steps.b.value }}'}}\n"
    )
    assert plan.step("b").foreach == "${{ steps.a.value }}"
    grown = plan.expanded(plan.step("b"), [{"name": "x"}, {"name": "y"}])
    assert [step.id for step in grown.steps] == ["a", "b", "b[item=x]", "b[item=y]", "c"]
    assert grown.step("b[item=y]").item == {"name": "y"}
    assert grown.groups["b"] == ("b[item=x]", "b[item=y]")
    same = plan.expanded(plan.step("b"), [5, "5", None])
    assert same.groups["b"] == ("b[item=0]", "b[item=1]", "b[item=2]"), "names that are not unique give way to numbers"


def test_a_list_whose_items_wait_for_values_of_the_run_is_not_too_short():
    assert ids(
        """
steps:
  first: {uses: provision/local}
  second:
    uses: provision/existing
    with: {servers: [{name: one, host: "${{ steps.first.servers[0].host }}"}]}
"""
    ) == ["first", "second"]
