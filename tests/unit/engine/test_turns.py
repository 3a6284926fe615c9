"""One cell at a time, also when a resumed run has some of them behind it."""

from __future__ import annotations

from rallyflow.compile.compiler import compile_data, compile_file
from rallyflow.compile.reader import read_text
from rallyflow.engine.turns import in_turn
from rallyflow.engine.view import new_view
from rallyflow.model.states import StepState

CELLS = """
rallyflow: 1
name: cells
steps: {a: {uses: noop, matrix: {n: [1, 2, 3, 4], max_parallel: %d}}}
"""


def after(plan, settled=()):
    return {step.id: step.after for step in in_turn(plan, set(settled)).steps if step.after}


def cells(most):
    return compile_data(*read_text((CELLS % most).encode(), "file.yaml"), {})


def test_each_cell_comes_after_the_one_that_many_before_it():
    assert after(cells(1)) == {"a[n=2]": ("a[n=1]",), "a[n=3]": ("a[n=2]",), "a[n=4]": ("a[n=3]",)}
    assert after(cells(3)) == {"a[n=4]": ("a[n=1]",)}
    assert after(cells(9)) == {}


def test_what_is_behind_a_cell_does_not_let_it_pass_what_has_to_be_done_again():
    assert after(cells(1), ["a[n=2]", "a[n=3]"])["a[n=4]"] == ("a[n=1]",)
    assert after(cells(1), ["a[n=1]", "a[n=2]", "a[n=3]"]) == {}
    view = new_view(cells(1), workers=4, done={"a[n=2]": StepState.SUCCEEDED, "a[n=3]": StepState.SUCCEEDED})
    assert {step: waits for step, waits in view.waiting.items() if waits} == {"a[n=4]": 1}


def test_workflows_come_after_each_other_as_a_whole(tmp_path):
    (tmp_path / "inner.yaml").write_text(
        "rallyflow: 1\nname: inner\nsteps: {x: {uses: noop}, y: {uses: noop, needs: [x]}}\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "rallyflow: 1\nname: outer\nsteps: {w: {uses: ./inner.yaml, matrix: {n: [1, 2, 3], max_parallel: 1}}}\n"
    )
    plan = compile_file(tmp_path / "outer.yaml")
    assert after(plan)["w[n=2]/(start)"] == ("w[n=1]",)
    gates = [f"w[n={n}]/(start)" for n in (1, 2, 3)]
    assert after(plan, gates)["w[n=2]/x"] == ("w[n=1]",), "inside, its gate no longer holds it back"
    assert after(plan, [*gates, "w[n=2]", "w[n=2]/x", "w[n=2]/y"])["w[n=3]/y"] == ("w[n=1]",)
