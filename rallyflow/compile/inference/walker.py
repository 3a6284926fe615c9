"""Goes through the syntax tree of an expression as its evaluation does, with types in the place of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from jinja2 import nodes

from rallyflow.compile import types
from rallyflow.compile.inference import filters, lookup, methods, operations
from rallyflow.compile.inference.names import Function, Record, TypeProblem
from rallyflow.compile.inference.shapes import list_of, map_of, options, tuple_of, union, without_none
from rallyflow.expressions import FUNCTIONS, render
from rallyflow.hints import did_you_mean


def infer(node: nodes.Expr, names: Mapping[str, Any]) -> Any:
    """Return the type of an expression's value: Any where it is not known.

    `names` gives a type, a Record or a CellsOf for each name that the expression may start from. Raises TypeProblem
    when the expression can't have a value, whatever the values of the names are, or names a field that there is not.
    """
    found = operations.must_be_data(Types(names).of(node), lambda: render(node))
    return dict[str, Any] if isinstance(found, Record) else found


class Types:
    """The types of the names of one expression, and by them of all of its parts."""

    __slots__ = ("names",)

    def __init__(self, names: Mapping[str, Any]) -> None:
        """`names` are as in `infer`."""
        self.names = names

    def of(self, node: nodes.Node) -> Any:
        """Return the type of a node."""
        return _RULES[type(node)](self, node)

    def data(self, node: nodes.Node) -> Any:
        """Return the type of a node that must be plain data."""
        return operations.must_be_data(self.of(node), lambda: render(node))

    def arguments(self, node: nodes.Call | nodes.Filter | nodes.Test) -> tuple[list[Any], dict[str, Any]]:
        """Return the types of the arguments of a call: by position and by name."""
        pairs: list[Any] = node.kwargs  # of Keyword; Jinja2's annotations say Pair
        return [self.data(each) for each in node.args], {pair.key: self.data(pair.value) for pair in pairs}


def _name(walker: Types, node: nodes.Name) -> Any:
    if node.name in walker.names:
        return walker.names[node.name]
    if node.name in (*FUNCTIONS, "range"):
        return Function(node.name)
    raise TypeProblem("RF0241", f"there is no name {node.name!r}", did_you_mean(node.name, walker.names))


def _const(_walker: Types, node: nodes.Const) -> Any:
    if isinstance(node.value, str | bool | int):
        return Literal[node.value]
    return type(node.value)


def _attribute(walker: Types, node: nodes.Getattr) -> Any:
    return lookup.attribute(node.node, walker.of(node.node), node.attr)


def _item(walker: Types, node: nodes.Getitem) -> Any:
    owner = walker.of(node.node)
    if isinstance(node.arg, nodes.Slice):
        bounds = [bound for bound in (node.arg.start, node.arg.stop, node.arg.step) if bound is not None]
        return lookup.cut(node, owner, [walker.data(bound) for bound in bounds])
    return lookup.item(node, owner, walker.data(node.arg))


def _list(walker: Types, node: nodes.List) -> Any:
    item = union(walker.data(each) for each in node.items) if node.items else Any
    return list_of(item)


def _tuple(walker: Types, node: nodes.Tuple) -> Any:
    items = tuple(walker.data(each) for each in node.items)
    return tuple_of(*items) if items else list[Any]


def _dict(walker: Types, node: nodes.Dict) -> Any:
    keys = [walker.data(pair.key) for pair in node.items]
    values = [walker.data(pair.value) for pair in node.items]
    return map_of(union(keys), union(values)) if keys else dict[str, Any]


def _conditional(walker: Types, node: nodes.CondExpr) -> Any:
    walker.data(node.test)
    branches = [node.expr1] if node.expr2 is None else [node.expr1, node.expr2]
    return union(walker.of(branch) for branch in branches)


def _and(walker: Types, node: nodes.And) -> Any:
    return union([walker.data(node.left), walker.data(node.right)])


def _or(walker: Types, node: nodes.Or) -> Any:
    return union([without_none(walker.data(node.left)), walker.data(node.right)])


def _not(walker: Types, node: nodes.Not) -> Any:
    walker.data(node.node)
    return bool


def _sign(walker: Types, node: nodes.UnaryExpr) -> Any:
    return operations.signed(node.operator, walker.data(node.node))


def _arithmetic(walker: Types, node: nodes.BinExpr) -> Any:
    return operations.arithmetic(node.operator, walker.data(node.left), walker.data(node.right))


def _concat(walker: Types, node: nodes.Concat) -> Any:
    for part in node.nodes:
        walker.data(part)
    return str


def _compare(walker: Types, node: nodes.Compare) -> Any:
    left = walker.data(node.expr)
    for operand in node.ops:
        right = walker.data(operand.expr)
        operations.compared(operand.op, left, right)
        left = right
    return bool


def _filter(walker: Types, node: nodes.Filter) -> Any:
    assert node.node is not None  # noqa: S101 - only the blocks of templates have filters of nothing
    arguments, named = walker.arguments(node)
    return filters.apply(filters.Use(node.node, arguments, named), node.name, walker.data(node.node))


def _test(walker: Types, node: nodes.Test) -> Any:
    arguments, named = walker.arguments(node)
    filters.test(filters.Use(node.node, arguments, named), node.name, walker.data(node.node))
    return bool


def _call(walker: Types, node: nodes.Call) -> Any:
    arguments, named = walker.arguments(node)
    if isinstance(node.node, nodes.Name) and node.node.name not in walker.names:
        return _called_by_name(node.node.name, arguments)
    if isinstance(node.node, nodes.Getattr):
        return methods.call(walker.of(node.node.node), node.node.node, node.node.attr, arguments, named)
    found = walker.of(node.node)
    if isinstance(found, Function) or Any in options(found):
        return Any
    raise TypeProblem("RF0241", f"{render(node.node)} is not a function")


def _called_by_name(name: str, arguments: list[Any]) -> Any:
    if name in FUNCTIONS:
        return bool
    if name != "range":
        raise TypeProblem("RF0241", f"there is no function {name!r}", did_you_mean(name, (*FUNCTIONS, "range")))
    for argument in arguments:
        if not any(option in (int, bool, Any) for option in options(argument)):
            raise TypeProblem("RF0224", f"range() takes whole numbers, not {types.name_of(argument)}")
    return list[int]


_RULES: dict[type[nodes.Node], Callable[[Types, Any], Any]] = {
    nodes.And: _and,
    nodes.Call: _call,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.CondExpr: _conditional,
    nodes.Const: _const,
    nodes.Dict: _dict,
    nodes.Filter: _filter,
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.List: _list,
    nodes.Name: _name,
    nodes.Not: _not,
    nodes.Or: _or,
    nodes.Test: _test,
    nodes.Tuple: _tuple,
    **dict.fromkeys((nodes.Neg, nodes.Pos), _sign),
    **dict.fromkeys((nodes.Add, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Mul, nodes.Pow, nodes.Sub), _arithmetic),
}
