"""Makes a drawing of a plan: folds cells, finds clusters, drops edges that others imply, puts nodes in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import networkx as nx

from rallyflow.errors import UsageError
from rallyflow.graphs.model import Cluster, Drawing, Edge, Kind, Node
from rallyflow.graphs.naming import END, START, Names
from rallyflow.model.plan import Plan, PlannedStep
from rallyflow.model.records import StepRecord

MAX_NODES = 2000
"""More nodes than that nobody can look at."""
_ALL = " (all)"


def drawing_of(
    plan: Plan, *, cells: bool = False, records: Sequence[StepRecord] | None = None, run: str = ""
) -> Drawing:
    """Return the drawing of a plan, with each matrix step as one node, or with all of its cells.

    `records` are the steps of a run, for their states. Raises UsageError when there is too much to draw.
    """
    names = Names(plan, cells=cells)
    folded: dict[str, list[PlannedStep]] = {}
    for step in plan.steps:
        folded.setdefault(names.node(step.id), []).append(step)
    _check_size(len(folded), cells=cells)
    nodes = {name: _node(name, steps, names, records) for name, steps in folded.items()}
    edges = _edges(plan, names, nodes)
    clusters = names.clusters()
    order = ordered(nodes.values(), edges, clusters)
    if order is None:  # steps of different clusters wait for each other in turn: frames would overlap
        nodes = {name: replace(node, label=name, scope="") for name, node in nodes.items()}
        clusters, order = (), ordered(nodes.values(), edges, ()) or list(nodes)
    return Drawing(
        plan.name,
        tuple(nodes[name] for name in order),
        _marked(order, edges),
        clusters,
        plan.description,
        run,
    )


def _check_size(count: int, *, cells: bool) -> None:
    if count > MAX_NODES:
        raise UsageError(
            f"the graph has {count} nodes; at most {MAX_NODES} can be drawn",
            hint="leave --cells out: each matrix step is one node then" if cells else "`rallyflow plan` lists them",
        )


def _node(name: str, steps: Sequence[PlannedStep], names: Names, records: Sequence[StepRecord] | None) -> Node:
    first = steps[0]
    scope = names.cluster(names.scope_of(first))
    label = name.removeprefix(f"{scope}/") if scope else name
    gate = label in (START, END)
    foreach = first.foreach is not None
    own = {step.id for step in steps}
    items = [each for each in records or () if foreach and each.name in own and each.id not in own]
    known = items or [each for each in records or () if each.id in own]
    return Node(
        name,
        label.strip("()") if gate else label,
        "" if gate else first.uses,
        Kind.GATE if gate else Kind.STEP,
        len(items) if foreach else len(steps),
        scope,
        "" if gate else first.condition,
        Counter(each.state for each in known),
    )


def _edges(plan: Plan, names: Names, nodes: dict[str, Node]) -> dict[tuple[str, str], None]:
    """Return the edges between nodes. Where many cells wait for many cells, they meet in a node that is added."""
    waiting = Counter(need for step in plan.steps for need in step.needs if need in plan.groups)
    found: dict[tuple[str, str], None] = {}
    for step in plan.steps:
        target = names.node(step.id)
        for need in step.needs:
            for source in _sources(need, plan, names, nodes, many=waiting[need] > 1):
                if source != target:
                    found[source, target] = None
    for name, node in nodes.items():
        if node.kind is Kind.JOIN:
            found.update(dict.fromkeys((names.node(cell), name) for cell in plan.groups[name.removesuffix(_ALL)]))
    return found


def _sources(need: str, plan: Plan, names: Names, nodes: dict[str, Node], *, many: bool) -> Sequence[str]:
    """Return the nodes that stand for what a step needs: a step, or all cells of one."""
    cells = plan.groups.get(need)
    if cells is None:
        return [names.node(need)]
    sources = list(dict.fromkeys(names.node(cell) for cell in cells[:2])) if names.members else list(cells)
    if len(sources) == 1 or not many:
        return [names.node(cell) for cell in cells] if len(sources) > 1 else sources
    join = f"{need}{_ALL}"
    if join not in nodes:
        scope = nodes[names.node(cells[0])].scope
        inside = scope if scope != need and need not in plan.scopes and cells[0] not in plan.scopes else ""
        label = need.removeprefix(f"{inside}/") if inside else need
        nodes[join] = Node(join, f"all of {label}", kind=Kind.JOIN, scope=inside)
    return [join]


def ordered(nodes: Iterable[Node], edges: Iterable[tuple[str, str]], clusters: Sequence[Cluster]) -> list[str] | None:
    """Return the nodes in topological order with those of each cluster together; None when that can't be."""
    parents = {cluster.id: cluster.parent for cluster in clusters}
    own = {node.id: node.scope for node in nodes}
    inside = levels(own, parents, edges)
    try:
        return _flat("", inside)
    except nx.NetworkXUnfeasible:
        return None


def levels(
    own: Mapping[str, str], parents: Mapping[str, str], edges: Iterable[tuple[str, str]]
) -> dict[str, nx.DiGraph[tuple[str, str]]]:
    """Return for each cluster ("" is the whole) the graph of what is directly inside: ("node" or "cluster", id)."""
    position = {item: index for index, item in enumerate(_items(own, parents))}
    graphs: dict[str, nx.DiGraph[tuple[str, str]]] = {scope: nx.DiGraph() for scope in ("", *parents)}
    for (kind, name), index in position.items():
        graphs[own[name] if kind == "node" else parents[name]].add_node((kind, name), at=index)
    for source, target in edges:
        level, start, end = _meeting(source, target, own, parents)
        if start != end:
            graphs[level].add_edge(start, end)
    return graphs


def _items(own: Mapping[str, str], parents: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield nodes and clusters, each cluster where its first node is."""
    seen: set[str] = set()
    for name in own:
        for scope in _around(own[name], parents):
            if scope not in seen:
                seen.add(scope)
                yield "cluster", scope
        yield "node", name


def _around(scope: str, parents: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    while scope:
        found.insert(0, scope)
        scope = parents[scope]
    return found


def _meeting(
    source: str, target: str, own: Mapping[str, str], parents: Mapping[str, str]
) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """Return the innermost cluster around both ends of an edge, and the ends as that cluster sees them."""
    left, right = _around(own[source], parents), _around(own[target], parents)
    shared = 0
    while shared < min(len(left), len(right)) and left[shared] == right[shared]:
        shared += 1
    start = ("cluster", left[shared]) if shared < len(left) else ("node", source)
    end = ("cluster", right[shared]) if shared < len(right) else ("node", target)
    return (left[shared - 1] if shared else ""), start, end


def _flat(scope: str, graphs: Mapping[str, nx.DiGraph[tuple[str, str]]]) -> list[str]:
    graph = graphs[scope]
    order = nx.lexicographical_topological_sort(graph, key=lambda item: graph.nodes[item]["at"])
    return [name for kind, item in order for name in ([item] if kind == "node" else _flat(item, graphs))]


def _marked(order: Sequence[str], edges: Mapping[tuple[str, str], None]) -> tuple[Edge, ...]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from(edges)
    needed = set(nx.transitive_reduction(graph).edges)
    return tuple(Edge(*edge, implied=edge not in needed) for edge in edges)
