"""Properties of the layout that hold for every graph."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.graphs.drawing import drawing_of
from rallyflow.graphs.layered import NODE_GAP, lay_out
from rallyflow.graphs.nested import placed
from rallyflow.graphs.ordering import arrange, crossings
from rallyflow.graphs.spacing import spread

from .dags import dags

SIZES = st.tuples(st.floats(10, 300), st.floats(10, 80))


@st.composite
def graphs(draw):
    count, edges = draw(dags())
    return dict(enumerate(draw(st.lists(SIZES, min_size=count, max_size=count)))), edges


def overlap(one, other):
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 - 1e-6
        and abs(one.y - other.y) < (one.height + other.height) / 2 - 1e-6
    )


@given(graphs())
def test_no_two_boxes_overlap_and_all_are_on_the_page(graph):
    layout = lay_out(*graph)
    assert set(layout.boxes) == set(graph[0])
    assert not [pair for pair in combinations(layout.boxes.values(), 2) if overlap(*pair)]
    for box in layout.boxes.values():
        assert -1e-6 <= box.x - box.width / 2 <= box.x + box.width / 2 <= layout.width + 1e-6
        assert -1e-6 <= box.y - box.height / 2 <= box.y + box.height / 2 <= layout.height + 1e-6


@given(graphs())
def test_what_waits_is_below_what_it_waits_for(graph):
    layout = lay_out(*graph)
    for source, target in graph[1]:
        above, below = layout.boxes[source], layout.boxes[target]
        assert above.y + above.height / 2 < below.y - below.height / 2


@given(graphs())
def test_an_edge_begins_and_ends_at_its_boxes_leads_down_and_passes_no_other(graph):
    layout = lay_out(*graph)
    assert set(layout.routes) == set(graph[1])
    for (source, target), points in layout.routes.items():
        above, below = layout.boxes[source], layout.boxes[target]
        assert points[0] == pytest.approx((above.x, above.y + above.height / 2))
        assert points[-1] == pytest.approx((below.x, below.y - below.height / 2))
        assert all(first[1] <= second[1] + 1e-6 for first, second in pairwise(points))
        straight = list(pairwise(points))[::2]
        for node, box in layout.boxes.items():
            if node not in (source, target):
                assert not any(crosses(box, *part) for part in straight)


def crosses(box, start, end):
    """Whether an upright line touches a box."""
    return (
        abs(box.x - start[0]) < box.width / 2 and start[1] < box.y + box.height / 2 and end[1] > box.y - box.height / 2
    )


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0.1, 100), st.floats(0.1, 10)), min_size=1, max_size=20))
def test_places_keep_their_gaps_and_stay_where_they_are_wanted_if_they_can(wishes):
    wanted, gaps, weights = [w for w, _, _ in wishes], [g for _, g, _ in wishes[1:]], [x for _, _, x in wishes]
    found = spread(wanted, gaps, weights)
    assert all(right - left >= gap - 1e-6 for (left, right), gap in zip(pairwise(found), gaps, strict=True))
    assert spread(found, gaps, weights) == pytest.approx(found, abs=1e-5)


@given(dags())
def test_ordering_keeps_every_node_and_never_adds_crossings(graph):
    _, edges = graph
    layers = [[("a", n) for n in range(12)], [("b", n) for n in range(12)]]
    between = [(("a", one), ("b", other)) for one, other in edges]
    after = {}
    for source, target in between:
        after.setdefault(source, []).append(target)
    found = arrange(layers, between)
    assert [sorted(layer) for layer in found] == [sorted(layer) for layer in layers]
    assert crossings(found, after) <= crossings(layers, after)


def test_crossings_that_can_be_avoided_are():
    layers, edges = [["a", "b"], ["x", "y"]], [("a", "y"), ("b", "x")]
    assert crossings(arrange(layers, edges), {"a": ["y"], "b": ["x"]}) == 0


def test_a_chain_is_straight():
    sizes = {name: (100.0 + 20 * index, 40.0) for index, name in enumerate("abcd")}
    layout = lay_out(sizes, list(pairwise("abcd")))
    assert {round(box.x, 3) for box in layout.boxes.values()} == {80.0}


def test_neighbours_in_a_layer_keep_their_distance():
    layout = lay_out(dict.fromkeys("abc", (100.0, 40.0)), [("a", "b"), ("a", "c")])
    assert abs(layout.boxes["b"].x - layout.boxes["c"].x) >= 100 + NODE_GAP - 1e-6


def test_nothing_is_laid_out_as_nothing():
    layout = lay_out({}, [])
    assert (layout.width, layout.height) == (0, 0)


def test_a_frame_is_around_its_nodes_and_around_no_others(plan):
    inner = "steps:\n  a: {uses: noop}\n  b: {uses: noop, needs: [a]}\n"
    outer = "steps:\n  x: {uses: noop}\n  w: {uses: ./inner.yaml, needs: [x]}\n  y: {uses: noop, needs: [w]}\n"
    drawing = drawing_of(plan(outer, inner=inner))
    where = placed(drawing, {node.id: (100.0, 40.0) for node in drawing.nodes})
    frame = where.frames["w"]
    for node in drawing.nodes:
        assert overlap(frame, where.nodes[node.id]) == (node.scope == "w")


def test_many_steps_beside_each_other_are_drawn_sideways(plan):
    steps = "".join(f"  s{n}: {{uses: noop, needs: [a]}}\n" for n in range(15))
    wide = drawing_of(plan(f"steps:\n  a: {{uses: noop}}\n{steps}"))
    chain = drawing_of(plan("steps:\n  a: {uses: noop}\n  b: {uses: noop, needs: [a]}\n"))
    sizes = (100.0, 40.0)
    assert placed(wide, {node.id: sizes for node in wide.nodes}).sideways
    assert not placed(chain, {node.id: sizes for node in chain.nodes}).sideways
