"""Random drawings for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from rallyflow.graphs.model import Drawing, Edge, Node


@st.composite
def dags(draw, most=12):
    """Edges of a random acyclic graph over 0..n-1, in which every edge leads to a larger number."""
    count = draw(st.integers(1, most))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    return count, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * count)) if pairs else []


@st.composite
def drawings(draw):
    """A drawing with any names."""
    count, edges = draw(dags())
    labels = draw(st.lists(st.text(min_size=1, max_size=8), min_size=count, max_size=count))
    nodes = tuple(Node(f"n{index}", label, "noop") for index, label in enumerate(labels))
    return Drawing("any", nodes, tuple(Edge(f"n{a}", f"n{b}") for a, b in edges))
