"""What is drawn: nodes, edges and clusters of a plan, without any idea of how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rallyflow.model.states import StepState


class Kind(StrEnum):
    """What a node stands for."""

    STEP = "step"
    GATE = "gate"  # where a sub-workflow begins or ends
    JOIN = "join"  # all cells of a matrix step, for the steps that wait for all of them


@dataclass(frozen=True, slots=True)
class Node:
    """One step, the folded cells of a matrix step, or a point where edges meet."""

    id: str
    label: str  # its name inside its cluster
    uses: str = ""
    kind: Kind = Kind.STEP
    cells: int = 1  # 0: one for each item of a list that only a run knows
    scope: str = ""  # the id of the cluster that it is in
    condition: str = ""
    states: Mapping[StepState, int] = field(default_factory=dict)  # of its cells; empty without a run

    @property
    def title(self) -> str:
        """The label, with the number of cells that are folded into the node."""
        times = "each" if self.cells == 0 else str(self.cells)
        return self.label if self.cells == 1 else f"{self.label} \N{MULTIPLICATION SIGN}{times}"

    @property
    def tone(self) -> str:
        """The colour that the worst of its states has: good, bad, warn, busy, calm; empty without a run."""
        return next((_TONES.get(state, "calm") for state in _WORST_FIRST if state in self.states), "")

    @property
    def state(self) -> str:
        """Its states in words: `succeeded`, or `9 succeeded, 1 failed`."""
        if len(self.states) == 1:
            return next(iter(self.states)).value
        return ", ".join(f"{self.states[state]} {state}" for state in _WORST_FIRST if state in self.states)


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`. An edge that others imply is not drawn."""

    source: str
    target: str
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """A sub-workflow: the frame around its steps, perhaps inside of another frame."""

    id: str
    label: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph to draw. Nodes stand in an order that works, those of a cluster together; clusters before inner ones."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...] = ()
    description: str = ""
    run: str = ""

    @property
    def drawn(self) -> tuple[Edge, ...]:
        """The edges that no others imply."""
        return tuple(edge for edge in self.edges if not edge.implied)

    def chain(self, scope: str) -> Sequence[Cluster]:
        """Return the clusters around a node of this scope, the outermost first."""
        by_id = {cluster.id: cluster for cluster in self.clusters}
        found: list[Cluster] = []
        while scope in by_id:
            found.insert(0, by_id[scope])
            scope = by_id[scope].parent
        return found


_TONES = {
    StepState.SUCCEEDED: "good",
    StepState.FAILED: "bad",
    StepState.ERRORED: "bad",
    StepState.INCONCLUSIVE: "warn",
    StepState.INTERRUPTED: "warn",
    StepState.CANCELLED: "warn",
    StepState.RUNNING: "busy",
    StepState.RETRYING: "busy",
    StepState.REVIVING: "busy",
}

_WORST_FIRST = (
    *(StepState.ERRORED, StepState.FAILED, StepState.INCONCLUSIVE, StepState.INTERRUPTED, StepState.CANCELLED),
    *(StepState.RUNNING, StepState.RETRYING, StepState.REVIVING, StepState.SKIPPED, StepState.READY),
    *(each for each in StepState if each not in _TONES and each not in (StepState.SKIPPED, StepState.READY)),
    StepState.SUCCEEDED,
)
