"""Evaluates the syntax tree of an expression, node by node: nothing but what is written here can happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jinja2 import nodes

from rallyflow.expressions import filters, library, lookup, operators
from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import NoValue
from rallyflow.expressions.source import render
from rallyflow.expressions.values import Method, Missing, data, defined, text_of


class Walker:
    """One evaluation: the values that names stand for, and what may still be spent."""

    __slots__ = ("budget", "values")

    def __init__(self, values: Mapping[str, Any], budget: Budget) -> None:
        """`values` are what the names of the expression stand for; callables among them are functions."""
        self.values = values
        self.budget = budget

    def visit(self, node: nodes.Node) -> Any:
        """Return a node's value, which may be Missing."""
        self.budget.spend(1)
        return HANDLERS[type(node)](self, node)

    def value(self, node: nodes.Node) -> Any:
        """Return a node's value; an error when it has none, or none that is plain data."""
        return data(self.visit(node))

    def owner(self, node: nodes.Node) -> Any:
        """Return the value of a node that a field, an item or a call belongs to."""
        return defined(self.visit(node))

    def subject(self, node: nodes.Node) -> Any:
        """Return the value of a node that a filter or test is for, which may be Missing."""
        found = self.visit(node)
        return found if type(found) is Missing else data(found)

    def optional(self, node: nodes.Node | None) -> Any:
        """Return the value of a node that need not be there."""
        return self.value(node) if node is not None else None

    def named(self, node: nodes.Call | nodes.Filter | nodes.Test) -> dict[str, Any]:
        """Return the arguments that are given by name."""
        pairs: list[Any] = node.kwargs  # of Keyword; Jinja2's annotations say Pair
        return {pair.key: self.value(pair.value) for pair in pairs}


def _name(walker: Walker, node: nodes.Name) -> Any:
    found = walker.values.get(node.name, walker)
    return found if found is not walker else Missing(f"there is no name {node.name!r}", walker.values, node.name)


def _const(_walker: Walker, node: nodes.Const) -> Any:
    return node.value


def _attribute(walker: Walker, node: nodes.Getattr) -> Any:
    return lookup.attribute(walker.owner(node.node), node.attr, walker.budget, partial(render, node.node))


def _item(walker: Walker, node: nodes.Getitem) -> Any:
    owner = walker.owner(node.node)
    if isinstance(node.arg, nodes.Slice):
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        return lookup.cut(owner, slice(*(walker.optional(bound) for bound in bounds)), walker.budget)
    return lookup.item(owner, walker.value(node.arg), walker.budget, partial(render, node.node))


def _list(walker: Walker, node: nodes.List) -> list[Any]:
    return [walker.value(item) for item in node.items]


def _tuple(walker: Walker, node: nodes.Tuple) -> tuple[Any, ...]:
    return tuple(walker.value(item) for item in node.items)


def _dict(walker: Walker, node: nodes.Dict) -> dict[Any, Any]:
    return {walker.value(pair.key): walker.value(pair.value) for pair in node.items}


def _conditional(walker: Walker, node: nodes.CondExpr) -> Any:
    if walker.value(node.test):
        return walker.visit(node.expr1)
    if node.expr2 is None:
        return Missing(f"{render(node.test)} does not hold, and there is no else")
    return walker.visit(node.expr2)


def _and(walker: Walker, node: nodes.And) -> Any:
    left = walker.value(node.left)
    return walker.visit(node.right) if left else left


def _or(walker: Walker, node: nodes.Or) -> Any:
    left = walker.value(node.left)
    return left or walker.visit(node.right)


def _not(walker: Walker, node: nodes.Not) -> bool:
    return not walker.value(node.node)


def _sign(walker: Walker, node: nodes.UnaryExpr) -> Any:
    return operators.signed(node.operator, walker.value(node.node))


def _arithmetic(walker: Walker, node: nodes.BinExpr) -> Any:
    return operators.arithmetic(node.operator, walker.value(node.left), walker.value(node.right), walker.budget)


def _concat(walker: Walker, node: nodes.Concat) -> str:
    texts = [text_of(walker.value(part), walker.budget) for part in node.nodes]
    walker.budget.text(sum(map(len, texts)))
    return "".join(texts)


def _compare(walker: Walker, node: nodes.Compare) -> bool:
    left = walker.value(node.expr)
    for operand in node.ops:
        right = walker.value(operand.expr)
        if not operators.compare(operand.op, left, right, walker.budget):
            return False
        left = right
    return True


def _filter(walker: Walker, node: nodes.Filter) -> Any:
    assert node.node is not None  # noqa: S101 - only the blocks of templates have filters of nothing
    arguments = [walker.value(argument) for argument in node.args]
    return library.call_filter(walker.budget, node.name, walker.subject(node.node), arguments, walker.named(node))


def _test(walker: Walker, node: nodes.Test) -> bool:
    arguments = [walker.value(argument) for argument in node.args]
    return library.call_test(walker.budget, node.name, walker.subject(node.node), arguments, walker.named(node))


def _call(walker: Walker, node: nodes.Call) -> Any:
    arguments = [walker.value(argument) for argument in node.args]
    named = walker.named(node)
    if isinstance(node.node, nodes.Name) and node.node.name == "range":
        return filters.bounded_range(walker.budget, *arguments, **named)
    function = walker.owner(node.node)
    if isinstance(function, Method):
        return lookup.call(function, arguments, named, walker.budget)
    if isinstance(node.node, nodes.Name) and callable(function):
        return function(*arguments, **named)
    raise NoValue(f"{render(node.node)} is not a function")


HANDLERS: dict[type[nodes.Node], Callable[[Walker, Any], Any]] = {
    nodes.Add: _arithmetic,
    nodes.And: _and,
    nodes.Call: _call,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.CondExpr: _conditional,
    nodes.Const: _const,
    nodes.Dict: _dict,
    nodes.Div: _arithmetic,
    nodes.Filter: _filter,
    nodes.FloorDiv: _arithmetic,
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.List: _list,
    nodes.Mod: _arithmetic,
    nodes.Mul: _arithmetic,
    nodes.Name: _name,
    nodes.Neg: _sign,
    nodes.Not: _not,
    nodes.Or: _or,
    nodes.Pos: _sign,
    nodes.Pow: _arithmetic,
    nodes.Sub: _arithmetic,
    nodes.Test: _test,
    nodes.Tuple: _tuple,
}
"""What there is in an expression, with the function that evaluates it; the grammar refuses everything else."""
