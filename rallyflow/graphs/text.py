"""Draws a graph in a terminal: a line for each step, and to its left lanes that lead to the steps that wait for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rallyflow.graphs.model import Drawing, Kind, Node
from rallyflow.graphs.width import padded, plain, wide

_JOINTS = {  # (up, down, left, right): what has an arm in each direction
    (1, 1, 0, 1): "├",
    (1, 1, 1, 0): "┤",
    (1, 1, 1, 1): "┼",
    (1, 0, 0, 1): "╰",
    (1, 0, 1, 0): "╯",
    (1, 0, 1, 1): "┴",
    (0, 1, 0, 1): "╭",
    (0, 1, 1, 0): "╮",
    (0, 1, 1, 1): "┬",
    (0, 0, 1, 1): "─",
    (1, 1, 0, 0): "│",
}
_SIGNS = {"good": "✓", "bad": "✗", "warn": "!", "busy": "▶", "calm": "·", "": "●"}

Paint = Callable[[str, str], str]
"""Gives a text the colour of a tone."""


def render(drawing: Drawing, paint: Paint = lambda text, _tone: text) -> str:
    """Return the drawing as lines of text, each at most as wide as its content."""
    rows = _rows(drawing)
    width = max((len(row.lanes) for row in rows), default=0)
    names = max((wide(row.name) for row in rows if row.node), default=0)
    uses = max((len(row.node.uses) for row in rows if row.node), default=0)
    states = max((len(row.node.state) for row in rows if row.node), default=0)
    return "".join(_line(row, (width, names, uses, states), paint) + "\n" for row in rows)


@dataclass(frozen=True, slots=True)
class _Row:
    lanes: str
    name: str = ""
    node: Node | None = None
    after: tuple[str, ...] = ()  # what it waits for, where that is more than one step


@dataclass(slots=True)
class _Lanes:
    """The columns at the left: each leads to the step that it holds, or is free."""

    targets: list[str] = field(default_factory=list)
    ended: int = -1  # the column of the step in the line above, where nothing waits for it

    def column(self, node: str) -> int:
        """Return where a node stands: at the end of the lane that leads to it, or in a free column."""
        return self.targets.index(node) if node in self.targets else self.free()

    def free(self) -> int:
        """Return the first column that leads nowhere, and that does not seem to continue the line above."""
        for index, target in enumerate(self.targets):
            if not target and index != self.ended:
                return index
        self.targets += [""] * (2 if self.ended == len(self.targets) else 1)
        return len(self.targets) - 1

    def draw(self, at: int, sign: str) -> str:
        """Return the line of a node."""
        return " ".join(sign if index == at else "│" if target else " " for index, target in enumerate(self.targets))

    def branch(self, at: int, following: Sequence[str]) -> str:
        """Lead from a column to all of the steps that follow; returns the line that shows it, empty for none."""
        before = list(self.targets)
        self.ended = -1 if following else at
        self.targets[at] = ""
        columns: list[int] = []
        for name in following:
            column = self.targets.index(name) if name in self.targets else self._new(at, columns)
            self.targets[column] = name
            columns.append(column)
        while self.targets and not self.targets[-1]:
            self.targets.pop()
        return "" if columns in ([], [at]) else _connection(before, self.targets, at, columns)

    def _new(self, at: int, taken: Sequence[int]) -> int:
        if at not in taken and not self.targets[at]:
            return at
        free = [index for index, target in enumerate(self.targets) if not target and index > at]
        if not free:
            self.targets.append("")
        return free[0] if free else len(self.targets) - 1


def _connection(before: Sequence[str], after: Sequence[str], at: int, columns: Sequence[int]) -> str:
    """Return the line between two nodes, on which one column leads into several."""
    touched = {*columns, at}
    low, high = min(touched), max(touched)
    cells = []
    for index in range(max(len(before), len(after))):
        up = index < len(before) and (bool(before[index]) or index == at)
        down = index < len(after) and bool(after[index])
        if index in touched:
            arms = (int(up), int(down), int(index > low), int(index < high))
            cells.append(_JOINTS.get(arms, "─"))
        elif up or down:
            cells.append("│")
        else:
            cells.append("─" if low < index < high else " ")
        cells.append("─" if low <= index < high else " ")
    return "".join(cells).rstrip()


def _rows(drawing: Drawing) -> list[_Row]:
    following: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    for edge in drawing.drawn:
        needs.setdefault(edge.target, []).append(edge.source)
        following.setdefault(edge.source, []).append(edge.target)
    by_id = {node.id: node for node in drawing.nodes}
    position = {node.id: index for index, node in enumerate(drawing.nodes)}
    lanes, rows = _Lanes(), list[_Row]()
    open_clusters: list[str] = []
    for node in drawing.nodes:
        chain = [cluster.id for cluster in drawing.chain(node.scope)]
        for depth, cluster in enumerate(drawing.chain(node.scope)):
            if open_clusters[depth : depth + 1] != [cluster.id]:
                rows.append(_Row(lanes.draw(-1, ""), f"{'  ' * depth}{plain(cluster.label)}:"))
        open_clusters = chain
        at = lanes.column(node.id)
        name = f"{'  ' * len(chain)}{plain(node.title)}"
        after = tuple(
            _seen_from(node, by_id[name]) for name in sorted(needs.get(node.id, ()), key=position.__getitem__)
        )
        rows.append(_Row(lanes.draw(at, _sign(node)), name, node, after if len(after) > 1 else ()))
        connection = lanes.branch(at, sorted(following.get(node.id, ()), key=position.__getitem__))
        if connection:
            rows.append(_Row(connection))
    return rows


def _seen_from(node: Node, other: Node) -> str:
    """Return how a node is called where another one is: without the cluster that they share."""
    if other.kind is Kind.GATE and other.scope != node.scope:
        return other.scope.removeprefix(f"{node.scope}/")
    return other.label if other.scope == node.scope else other.id


def _sign(node: Node) -> str:
    if node.kind is not Kind.STEP and not node.states:
        return "○"
    return _SIGNS[node.tone]


def _line(row: _Row, widths: tuple[int, int, int, int], paint: Paint) -> str:
    width, names, uses, states = widths
    lanes = row.lanes.ljust(width)
    if row.node is None:
        return f"{lanes}  {row.name}".rstrip()
    node = row.node
    sign = _sign(node)
    lanes = lanes.replace(sign, paint(sign, node.tone), 1) if node.tone else lanes
    after = plain(f"after {', '.join(row.after)}") if row.after else ""
    condition = plain(f"if {node.condition}") if node.condition else ""
    state = paint(node.state.ljust(states), node.tone) if node.state else " " * states
    rest = [plain(node.uses).ljust(uses), state, after, condition]
    return "  ".join([lanes, padded(row.name, names), *(text for text in rest if text)]).rstrip()


def legend(drawing: Drawing) -> Mapping[str, str]:
    """Return the signs that stand for states in this drawing, with what they mean."""
    words = {"good": "succeeded", "bad": "failed or errored", "warn": "can't be trusted, or stopped", "busy": "at work"}
    tones = {node.tone for node in drawing.nodes}
    return {_SIGNS[tone]: words.get(tone, "not started") for tone in _SIGNS if tone and tone in tones}
