"""Writes a graph in the language of Mermaid, which GitHub, GitLab and many wikis draw."""

from __future__ import annotations

from collections.abc import Iterator

from rallyflow.graphs.model import Drawing, Kind, Node

_CLASSES = {
    "good": "fill:#e2f0e7,stroke:#1f6e46,color:#1c2126",
    "bad": "fill:#fae5e2,stroke:#b3261e,color:#1c2126",
    "warn": "fill:#fbeed3,stroke:#8a5300,color:#1c2126",
    "busy": "fill:#dde9f4,stroke:#1d5c96,color:#1c2126",
    "calm": "fill:#e9ecee,stroke:#6b747d,color:#1c2126",
}


def render(drawing: Drawing) -> str:
    """Return the drawing as a flowchart. Names of our own stand for ids, which may hold any character."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    yield "flowchart TD"
    names = {node.id: f"n{index}" for index, node in enumerate(drawing.nodes)}
    yield from _inside(drawing, "", names, 1)
    for edge in drawing.drawn:
        yield f"  {names[edge.source]} --> {names[edge.target]}"
    tones = sorted({node.tone for node in drawing.nodes} - {""})
    for tone in tones:
        yield f"  classDef {tone} {_CLASSES[tone]}"
        yield f"  class {','.join(names[node.id] for node in drawing.nodes if node.tone == tone)} {tone}"


def _inside(drawing: Drawing, scope: str, names: dict[str, str], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for node in drawing.nodes:
        if node.scope == scope:
            yield f"{pad}{names[node.id]}{_shape(node)}"
    for index, cluster in enumerate(drawing.clusters):
        if cluster.parent == scope:
            yield f'{pad}subgraph c{index}["{_escaped(cluster.label)}"]'
            yield from _inside(drawing, cluster.id, names, depth + 1)
            yield f"{pad}end"


def _shape(node: Node) -> str:
    label = "<br/>".join(_escaped(text) for text in (node.title, node.uses, node.state) if text)
    return f'["{label}"]' if node.kind is Kind.STEP else f'(["{label}"])'


def _escaped(text: str) -> str:
    """Return a text with everything that Mermaid or HTML could read as theirs written as a number."""
    return "".join(c if c.isalnum() or c in " _-./=,()" else f"#{ord(c)};" for c in text)
