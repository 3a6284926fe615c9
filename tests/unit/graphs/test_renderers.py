from __future__ import annotations

import json
import os
import re
import shutil
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from rallyflow.graphs import dot, mermaid, svg, text
from rallyflow.graphs.data import as_data
from rallyflow.graphs.drawing import drawing_of
from rallyflow.graphs.model import Cluster, Drawing, Edge, Node
from rallyflow.graphs.width import wide
from rallyflow.model.states import StepState

from .dags import drawings

REQUIRED = os.environ.get("RALLYFLOW_REQUIRE_BROWSER") == "1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = ["<b>&\"'", 'a"]; x --> y', "\\n\\", "\x1b[31m", "end", "名前", "{}|`#%%"]
DOWN, SIDE = "│├┤┼╭╮┬", "─├┤┼╰╯┴╭╮┬"


def tree_of(drawn):
    return ET.fromstring(drawn)  # noqa: S314 - we have drawn it ourselves


def read_back(drawn, labels):
    """Return the edges that the lanes of a drawn text show, as an eye follows them."""
    lines = drawn.splitlines()
    rows = [next((label for label in labels if f" {label} " in line), None) for line in lines]
    edges = set()
    for number, label in enumerate(rows):
        if label is None:
            continue
        at = lines[number].index("●")
        for column in columns_from(lines, rows, number, at):
            edges |= {(label, found) for found in [follow(lines, rows, number, column)] if found}
    return edges


def columns_from(lines, rows, number, at):
    below = lines[number + 1] if number + 1 < len(lines) and rows[number + 1] is None else ""
    if not below:
        return [at]
    found = [at]
    for step in (-2, 2):
        column = at
        while 0 <= column + step // 2 < len(below) and below[column + step // 2] == "─":
            column += step
            if below[column] in SIDE:
                found.append(column)
    return [column for column in found if below[column : column + 1] and below[column] in DOWN]


def follow(lines, rows, number, column):
    """Return the node that a lane leads to."""
    for line, label in zip(lines[number + 1 :], rows[number + 1 :], strict=True):
        mark = line[column : column + 1]
        if mark == "●" and label is not None:
            return label
        if mark not in [*DOWN, "─"]:
            return None
    return None


@given(drawings())
def test_the_lanes_of_a_drawn_text_lead_from_each_step_to_those_that_wait_for_it(drawing):
    named = Drawing("any", tuple(Node(node.id, f"<{node.id}>", "noop") for node in drawing.nodes), drawing.edges)
    drawn = re.sub(r"  after .*", "", text.render(named))
    shown = read_back(drawn, [node.label for node in named.nodes])
    assert shown == {(f"<{edge.source}>", f"<{edge.target}>") for edge in drawing.edges}


@given(drawings())
def test_every_renderer_takes_any_name(drawing):
    shown = text.render(drawing)
    assert len([line for line in shown.split("\n") if "noop" in line]) >= len(drawing.nodes)
    assert all(c.isprintable() or c == "\n" for c in shown)
    tree_of(svg.render(drawing))
    assert dot.render(drawing).count("->") >= len(drawing.edges)
    assert json.loads(json.dumps(as_data(drawing)))["nodes"]
    assert mermaid.render(drawing).startswith("flowchart TD\n")


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_never_read_as_more_than_a_name(name):
    drawing = Drawing(name, (Node(name, name, name), Node("b", "b", "noop")), (Edge(name, "b"),))
    tree = tree_of(svg.render(drawing))
    assert {child.tag.rpartition("}")[2] for child in tree.iter()} <= {
        *("svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g"),
    }
    lines = mermaid.render(drawing).splitlines()
    assert [line for line in lines if "-->" in line] == ["  n0 --> n1"]
    quoted = re.sub(r'"(\\.|[^"\\])*"', '""', dot.render(drawing))
    assert quoted.count("->") == 1
    assert "\x1b" not in text.render(drawing)


def test_a_graph_is_drawn_as_a_person_would(plan):
    made = plan("""
steps:
  servers: {uses: noop}
  cloud: {uses: noop, needs: [servers]}
  boot: {uses: noop, needs: [cloud], matrix: {users: [1, 2, 4]}}
  volumes: {uses: noop, needs: [cloud]}
  login: {uses: noop, needs: [servers]}
  report: {uses: noop, needs: [boot, volumes, login], if: always()}
""")
    assert text.render(drawing_of(made)).splitlines() == [
        "●      servers  noop",
        "├─╮",
        "● │    cloud    noop",
        "├─│─╮",
        "● │ │  boot ×3  noop",  # noqa: RUF001 - as it is shown
        "│ │ ●  volumes  noop",
        "├─│─╯",
        "│ ●    login    noop",
        "├─╯",
        "●      report   noop  after boot, volumes, login  if always()",
    ]


def test_steps_of_a_workflow_inside_are_set_in_below_its_name(plan):
    inner = "steps:\n  a: {uses: noop}\n  b: {uses: noop, needs: [a]}\n"
    drawing = drawing_of(plan("steps:\n  w: {uses: ./inner.yaml}\n  z: {uses: noop, needs: [w]}\n", inner=inner))
    assert [line[3:].rstrip() for line in text.render(drawing).splitlines()] == [
        "w (inner.yaml):",
        "  start",
        "  a      noop",
        "  b      noop",
        "  end",
        "z        noop",
    ]
    assert "subgraph c0[" in mermaid.render(drawing)
    assert 'subgraph "cluster_w"' in dot.render(drawing)
    assert 'class="frame"' in svg.render(drawing)


def test_states_are_words_and_signs_not_colours_alone():
    nodes = (
        Node("a", "a", "noop", states={StepState.FAILED: 1}),
        Node("b", "b", "noop", states={StepState.RUNNING: 2}),
    )
    drawing = Drawing("x", nodes, ())
    assert "✗" in text.render(drawing)
    assert set(text.legend(drawing)) == {"✗", "▶"}
    for renderer in (text, svg, dot, mermaid):
        assert "failed" in renderer.render(drawing)
        assert "running" in renderer.render(drawing)


def test_a_picture_says_in_words_what_it_shows():
    nodes = (Node("a", "a", "noop", cells=3), Node("b", "b", "noop", states={StepState.FAILED: 1}))
    tree = tree_of(svg.render(Drawing("my graph", nodes, (Edge("a", "b"),))))
    texts = {child.tag.rpartition("}")[2]: child.text for child in tree if child.text}
    assert texts["title"] == "my graph"
    assert "b (noop) after a: failed." in texts["desc"]
    assert "a (noop, 3 cells)." in texts["desc"]
    assert tree.get("role") == "img"


def test_the_cells_of_one_cluster_keep_the_clusters_of_others_apart():
    nodes = (Node("w/a", "a", "noop", scope="w"), Node("v/a", "a", "noop", scope="v"))
    drawing = Drawing("x", nodes, (Edge("w/a", "v/a"),), (Cluster("w", "w"), Cluster("v", "v")))
    assert svg.render(drawing).count('class="frame"') == 2
    assert len(as_data(drawing)["clusters"]) == 2


@pytest.mark.parametrize(("name", "cells"), [("abc", 3), ("名前", 4), ("e\N{COMBINING ACUTE ACCENT}", 1)])
def test_the_width_of_a_text_is_that_of_a_terminal(name, cells):
    assert wide(name) == cells


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="needs chromium, which is not installed")
def test_no_text_leaves_its_box_in_a_browser(tmp_path):
    from playwright.sync_api import sync_playwright

    names = [
        "W" * 40,
        "i" * 5,
        "x" * 200,
        "名前" * 30,
        "boot[users=5,fast_rpc=true]",
        "…",
        "\N{SLIGHTLY SMILING FACE}" * 9,
    ]
    nodes = tuple(Node(f"n{at}", name, name, states={StepState.SUCCEEDED: 1}) for at, name in enumerate(names))
    edges = tuple(Edge("n0", node.id) for node in nodes[1:])
    (tmp_path / "graph.svg").write_text(svg.render(Drawing("x" * 100, nodes, edges)), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page()
        page.goto(f"file://{tmp_path}/graph.svg")
        over = page.evaluate(
            """() => [...document.querySelectorAll('g > rect.box')].flatMap(box => {
                 const b = box.getBBox(), right = b.x + b.width, bottom = b.y + b.height;
                 return [...box.parentNode.querySelectorAll('text')].map(text => text.getBBox())
                   .filter(t => t.x < b.x || t.x + t.width > right || t.y < b.y || t.y + t.height > bottom)
                   .map(t => [t.x, t.width, b.x, b.width]) })"""
        )
        browser.close()
    assert over == []
