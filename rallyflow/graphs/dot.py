"""Writes a graph in the language of Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rallyflow.graphs.model import Drawing, Kind, Node

_FILLS = {"good": "#e2f0e7", "bad": "#fae5e2", "warn": "#fbeed3", "busy": "#dde9f4", "calm": "#e9ecee", "": "#ffffff"}
_LINES = {"good": "#1f6e46", "bad": "#b3261e", "warn": "#8a5300", "busy": "#1d5c96", "calm": "#6b747d", "": "#4a535c"}


def render(drawing: Drawing) -> str:
    """Return the drawing as a digraph; every text is quoted."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    yield f"digraph {_quoted(drawing.name)} {{"
    yield '  graph [fontname="sans-serif", rankdir=TB, nodesep=0.35, ranksep=0.45]'
    yield '  node [fontname="sans-serif", fontsize=12, shape=box, style="rounded,filled"]'
    yield '  edge [color="#6b747d", arrowsize=0.7]'
    yield from _inside(drawing, "", 1)
    for edge in drawing.drawn:
        yield f"  {_quoted(edge.source)} -> {_quoted(edge.target)}"
    yield "}"


def _inside(drawing: Drawing, scope: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for node in drawing.nodes:
        if node.scope == scope:
            yield f"{pad}{_quoted(node.id)} [{_attributes(node)}]"
    for cluster in drawing.clusters:
        if cluster.parent == scope:
            yield f"{pad}subgraph {_quoted('cluster_' + cluster.id)} {{"
            yield f'{pad}  graph [label={_quoted(cluster.label)}, style="rounded,dashed", color="#6b747d"]'
            yield from _inside(drawing, cluster.id, depth + 1)
            yield f"{pad}}}"


def _attributes(node: Node) -> str:
    label = "\n".join(text for text in (node.title, node.uses, node.state) if text)
    colours = f'fillcolor="{_FILLS[node.tone]}", color="{_LINES[node.tone]}"'
    shape = "" if node.kind is Kind.STEP else ", shape=ellipse, fontsize=10"
    return f"label={_quoted(label)}, {colours}{shape}"


def _quoted(text: str) -> str:
    """Return a quoted string: DOT knows two escapes, and reads a backslash before anything else as it stands."""
    return json.dumps(text, ensure_ascii=False)
