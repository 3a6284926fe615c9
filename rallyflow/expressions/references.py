"""What an expression refers to: the names that it starts from, and what stands after them."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import nodes

ROOTS = ("params", "secrets", "steps", "matrix", "item", "run")
"""The names that an expression may start from."""

FUNCTIONS = ("success", "failure", "always")
"""What `if:` may call, beside any expression."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`steps.cloud.cloud.name`: a root and the attributes after it, up to the first thing that is not a name.

    `where` is the selection of cells of `steps.NAME.where(axis=value)`, as sources of expressions.
    """

    root: str
    path: tuple[str, ...]
    where: tuple[tuple[str, nodes.Expr], ...] | None = None


def references_in(node: nodes.Node) -> list[Reference]:
    """Return every reference in a part of an expression, in its order."""
    reference = as_reference(node)
    if reference is not None:
        return [reference, *(found for _, value in reference.where or () for found in references_in(value))]
    called = node.node if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) else None
    return [found for child in node.iter_child_nodes() if child is not called for found in references_in(child)]


def calls_in(body: nodes.Expr) -> tuple[str, ...]:
    """Return the names of the functions that an expression calls."""
    calls = [*body.find_all(nodes.Call), *([body] if isinstance(body, nodes.Call) else [])]
    return tuple(call.node.name for call in calls if isinstance(call.node, nodes.Name))


def as_reference(node: nodes.Node) -> Reference | None:
    """Return the reference that a node is; None when it is anything else."""
    if isinstance(node, nodes.Name):
        return Reference(node.name, ())
    if isinstance(node, nodes.Getattr):
        return _extended(as_reference(node.node), node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return _extended(as_reference(node.node), str(node.arg.value))
    return _as_selection(node) if isinstance(node, nodes.Call) else None


def _as_selection(call: nodes.Call) -> Reference | None:
    """Return the reference that `steps.NAME.where(axis=value)` is."""
    if not isinstance(call.node, nodes.Getattr) or call.node.attr != "where" or call.args:
        return None
    base = as_reference(call.node.node)
    if base is None or base.root != "steps" or len(base.path) != 1:
        return None
    return Reference(base.root, base.path, tuple((pair.key, pair.value) for pair in call.kwargs))


def _extended(base: Reference | None, name: str) -> Reference | None:
    return Reference(base.root, (*base.path, name), base.where) if base is not None else None
