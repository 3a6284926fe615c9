"""Which node a step of a plan is in a drawing, and which cluster that node is in: one by one, or with cells folded."""

from __future__ import annotations

from functools import cache
from pathlib import PurePath

from rallyflow.graphs.model import Cluster
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep

START, END = "(start)", "(end)"
"""The gates of a sub-workflow: its own step is where it ends, and the compiler adds one where it begins."""


class Names:
    """The names of nodes and clusters of one plan. With `cells`, each cell of a matrix has its own."""

    def __init__(self, plan: Plan, *, cells: bool) -> None:
        self.steps = {step.id: step for step in plan.steps}
        self.scopes = plan.scopes
        self.members = {} if cells else {step: name for name, ids in plan.groups.items() for step in ids}
        self.node = cache(self._node)

    def _node(self, step: str) -> str:
        """Return the id of the node that a step is, or is folded into."""
        if step in self.scopes:
            return f"{self.cluster(step)}/{END}"
        scope = self.scope_of(self.steps[StepId(step)])
        name = self.members.get(StepId(step), step)
        return f"{self.cluster(scope)}/{name.removeprefix(f'{scope}/')}" if scope else name

    def cluster(self, scope: str) -> str:
        """Return the id of the cluster that the steps of a scope are in; empty at the top."""
        if not scope:
            return ""
        outer = self.around(scope)
        name = self.members.get(StepId(scope), scope)
        return f"{self.cluster(outer)}/{name.removeprefix(f'{outer}/')}" if outer else name

    def around(self, scope: str) -> str:
        """Return the scope that a scope is in; empty at the top."""
        return self.steps[self.scopes[scope].gate].scope

    def scope_of(self, step: PlannedStep) -> str:
        """Return the scope that a step is drawn in: the gates of a sub-workflow are inside of it."""
        if step.id in self.scopes:
            return step.id
        return step.id.removesuffix(f"/{START}") if step.id.endswith(f"/{START}") else step.scope

    def clusters(self) -> tuple[Cluster, ...]:
        """Return the clusters, outer ones first."""
        folded: dict[str, list[str]] = {}
        for scope in self.scopes:
            folded.setdefault(self.cluster(scope), []).append(scope)
        found = []
        for name, scopes in folded.items():
            parent = self.cluster(self.around(scopes[0]))
            own = name.removeprefix(f"{parent}/") if parent else name
            outer = len(folded.get(parent, [""]))
            times = f" \N{MULTIPLICATION SIGN}{len(scopes) // outer}" if len(scopes) > outer else ""
            file = PurePath(self.scopes[scopes[0]].file).name
            found.append(Cluster(name, f"{own}{times} ({file})", parent))
        return tuple(sorted(found, key=lambda cluster: cluster.id.count("/")))
