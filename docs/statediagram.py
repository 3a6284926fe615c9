"""Draws the states of a step and what may follow each, from the table that the engine goes by."""

from __future__ import annotations

from rallyflow.graphs.model import Drawing, Edge, Node
from rallyflow.graphs.svg import render
from rallyflow.model.states import TRANSITIONS, StepState

FROM_REFERENCE = "../images/states.svg"
_RANK = {state: rank for rank, state in enumerate(StepState)}


class _State(Node):
    """A node that has the colour of its state without a line that repeats it."""

    @property
    def tone(self) -> str:
        return Node(self.id, self.label, states={StepState(self.id): 1}).tone


def drawing() -> str:
    """Return the text of the SVG file. An edge to a state that stands before its own is a word in the box, no arrow."""
    nodes = tuple(_State(state.value, state.value, _back(state)) for state in StepState)
    edges = tuple(
        Edge(state.value, after.value)
        for state in StepState
        for after in sorted(TRANSITIONS[state], key=_RANK.__getitem__)
        if _RANK[after] > _RANK[state]
    )
    return render(Drawing("States of a step", nodes, edges))


def _back(state: StepState) -> str:
    """Return where a state leads back to."""
    back = sorted((after for after in TRANSITIONS[state] if _RANK[after] < _RANK[state]), key=_RANK.__getitem__)
    return f"back: {', '.join(back) or '-'}" if _RANK[state] else "begins here"
