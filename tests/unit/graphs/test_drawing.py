from __future__ import annotations

import pytest

from rallyflow.errors import UsageError
from rallyflow.graphs.drawing import MAX_NODES, drawing_of
from rallyflow.graphs.model import Kind
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import StepRecord
from rallyflow.model.states import StepState

CHAIN = """
steps:
  a: {uses: noop}
  b: {uses: noop, needs: [a]}
  c: {uses: noop, needs: [a, b]}
"""
MATRIX = """
steps:
  make: {uses: noop, matrix: {n: [1, 2, 3]}}
  use: {uses: noop, needs: [make], matrix: {m: [1, 2]}}
  end: {uses: noop, needs: [use]}
"""
INNER = """
params: {n: {type: int, default: 1}}
steps:
  first: {uses: noop}
  second: {uses: noop, needs: [first], matrix: {k: [1, 2]}}
"""
OUTER = """
steps:
  before: {uses: noop}
  inner: {uses: ./inner.yaml, needs: [before], matrix: {n: [1, 2]}, with: {n: "${{ matrix.n }}"}}
  after: {uses: noop, needs: [inner]}
"""


def record(step, state, name=""):
    return StepRecord(RunId("r"), StepId(step), name or step, "noop", StepState(state))


def edges(drawing):
    return {(edge.source, edge.target) for edge in drawing.drawn}


def ids(drawing):
    return [node.id for node in drawing.nodes]


def test_an_edge_that_others_imply_is_marked_and_not_drawn(plan):
    drawing = drawing_of(plan(CHAIN))
    assert edges(drawing) == {("a", "b"), ("b", "c")}
    assert [(edge.source, edge.target) for edge in drawing.edges if edge.implied] == [("a", "c")]


def test_the_cells_of_a_matrix_are_one_node_with_their_number(plan):
    drawing = drawing_of(plan(MATRIX))
    assert [(node.id, node.cells) for node in drawing.nodes] == [("make", 3), ("use", 2), ("end", 1)]
    assert drawing.nodes[0].title == "make \N{MULTIPLICATION SIGN}3"
    assert edges(drawing) == {("make", "use"), ("use", "end")}


def test_all_cells_are_drawn_when_wanted_and_meet_where_many_wait_for_many(plan):
    drawing = drawing_of(plan(MATRIX), cells=True)
    joins = [node.id for node in drawing.nodes if node.kind is Kind.JOIN]
    assert len(joins) == 1
    assert {edge for edge in edges(drawing) if joins[0] in edge} == {
        *((f"make[n={n}]", joins[0]) for n in (1, 2, 3)),
        *((joins[0], f"use[m={m}]") for m in (1, 2)),
    }
    assert {("use[m=1]", "end"), ("use[m=2]", "end")} <= edges(drawing)


def test_a_cell_that_one_cell_waits_for_is_drawn_so(plan):
    drawing = drawing_of(
        plan("""
steps:
  make: {uses: noop, matrix: {n: [1, 2]}, with: {value: "${{ matrix.n }}"}}
  use: {uses: noop, matrix: {n: [1, 2]}, with: {value: "${{ steps.make.where(n=matrix.n).value }}"}}
"""),
        cells=True,
    )
    assert edges(drawing) == {("make[n=1]", "use[n=1]"), ("make[n=2]", "use[n=2]")}


def test_a_workflow_inside_is_a_cluster_with_its_gates(plan):
    drawing = drawing_of(plan(OUTER, inner=INNER))
    assert [cluster.label for cluster in drawing.clusters] == ["inner \N{MULTIPLICATION SIGN}2 (inner.yaml)"]
    inside = [(node.label, node.kind, node.cells) for node in drawing.nodes if node.scope == "inner"]
    assert inside == [
        ("start", Kind.GATE, 2),
        ("first", Kind.STEP, 2),
        ("second", Kind.STEP, 4),
        ("end", Kind.GATE, 2),
    ]


def test_each_cell_of_a_workflow_inside_is_a_cluster_of_its_own_when_cells_are_wanted(plan):
    drawing = drawing_of(plan(OUTER, inner=INNER), cells=True)
    assert {cluster.id for cluster in drawing.clusters} == {"inner[n=1]", "inner[n=2]"}
    assert all(node.cells == 1 for node in drawing.nodes)


def test_workflows_inside_of_each_other_are_clusters_inside_of_each_other(plan):
    middle = "steps: {deep: {uses: ./inner.yaml}}\n"
    drawing = drawing_of(plan("steps: {top: {uses: ./middle.yaml}}\n", middle=middle, inner=INNER))
    assert [(cluster.id, cluster.parent) for cluster in drawing.clusters] == [("top", ""), ("top/deep", "top")]
    assert [cluster.id for cluster in drawing.chain("top/deep")] == ["top", "top/deep"]


@pytest.mark.parametrize("cells", [True, False])
@pytest.mark.parametrize("text", [CHAIN, MATRIX, OUTER])
def test_nodes_stand_in_an_order_that_works_with_those_of_a_cluster_together(plan, text, cells):
    drawing = drawing_of(plan(text, inner=INNER), cells=cells)
    position = {name: index for index, name in enumerate(ids(drawing))}
    assert all(position[edge.source] < position[edge.target] for edge in drawing.edges)
    for cluster in drawing.clusters:
        places = [position[node.id] for node in drawing.nodes if node.scope == cluster.id]
        assert places == list(range(min(places), max(places) + 1))


def test_states_of_folded_cells_are_counted_and_the_worst_gives_the_colour(plan):
    records = [record("make[n=1]", "succeeded"), record("make[n=2]", "failed"), record("make[n=3]", "running")]
    node = drawing_of(plan(MATRIX), records=records).nodes[0]
    assert (node.tone, node.state) == ("bad", "1 failed, 1 running, 1 succeeded")


@pytest.mark.parametrize("state", StepState)
def test_every_state_has_a_colour_and_a_word(plan, state):
    node = drawing_of(plan(CHAIN), records=[record("a", state)]).nodes[0]
    assert node.tone in {"good", "bad", "warn", "busy", "calm"}
    assert node.state == state


def test_a_list_that_only_a_run_knows_is_one_node_until_the_run_knows_it(plan):
    made = plan('steps:\n  a: {uses: noop}\n  b: {uses: noop, foreach: "${{ steps.a.value }}"}\n')
    assert drawing_of(made).nodes[1].title == "b \N{MULTIPLICATION SIGN}each"
    records = [record("b", "succeeded"), *(record(f"b[item={n}]", "failed", "b") for n in (1, 2))]
    node = drawing_of(made, records=records).nodes[1]
    assert (node.title, node.state) == ("b \N{MULTIPLICATION SIGN}2", "failed")


def test_more_nodes_than_anybody_can_look_at_are_refused_with_a_way_out(plan):
    made = plan("steps:\n  a: {uses: noop, matrix: {n: '${{ range(2001) }}'}}\n")
    with pytest.raises(UsageError, match=str(MAX_NODES)) as caught:
        drawing_of(made, cells=True)
    assert "--cells" in caught.value.hint
    assert len(drawing_of(made).nodes) == 1
