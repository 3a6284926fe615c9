"""Turns a part of an expression back into the text that a person would write for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jinja2 import nodes

from rallyflow.expressions.operators import SYMBOLS


def render(node: nodes.Node) -> str:
    """Return the source of a node, such as `steps.servers.servers[0]`."""
    return _RENDERERS[type(node)](node)


def _const(node: nodes.Const) -> str:
    if isinstance(node.value, str):
        return "'" + json.dumps(node.value, ensure_ascii=False)[1:-1].replace("'", "\\'").replace('\\"', '"') + "'"
    return str(node.value).lower() if node.value is None or isinstance(node.value, bool) else repr(node.value)


def _operand(node: nodes.Node) -> str:
    """Return the source of a node that stands beside an operator: in parentheses when it has operators of its own."""
    text = render(node)
    return text if type(node) in _ATOMS else f"({text})"


def _owner(node: nodes.Node) -> str:
    """Return the source of a node that a field, an item or a call belongs to."""
    return f"({render(node)})" if isinstance(node, nodes.Filter) else _operand(node)


def _listed(found: list[Any]) -> str:
    return ", ".join(map(render, found))


def _arguments(node: nodes.Call | nodes.Filter | nodes.Test) -> str:
    return ", ".join([*map(render, node.args), *(f"{pair.key}={render(pair.value)}" for pair in node.kwargs)])


def _filter(node: nodes.Filter) -> str:
    arguments = _arguments(node)
    return f"{_operand(node.node) if node.node else ''}|{node.name}" + (f"({arguments})" if arguments else "")


def _test(node: nodes.Test) -> str:
    arguments = _arguments(node)
    return f"{_operand(node.node)} is {node.name}" + (f"({arguments})" if arguments else "")


def _item(node: nodes.Getitem) -> str:
    if not isinstance(node.arg, nodes.Slice):
        return f"{_owner(node.node)}[{render(node.arg)}]"
    start, stop, step = (render(bound) if bound else "" for bound in (node.arg.start, node.arg.stop, node.arg.step))
    return f"{_owner(node.node)}[{start}:{stop}{':' + step if step else ''}]"


def _tuple(node: nodes.Tuple) -> str:
    return f"({_listed(node.items)}{',' if len(node.items) == 1 else ''})"


def _dict(node: nodes.Dict) -> str:
    return "{" + ", ".join(f"{render(pair.key)}: {render(pair.value)}" for pair in node.items) + "}"


def _conditional(node: nodes.CondExpr) -> str:
    otherwise = f" else {_operand(node.expr2)}" if node.expr2 else ""
    return f"{_operand(node.expr1)} if {_operand(node.test)}{otherwise}"


def _binary(node: nodes.BinExpr) -> str:
    return f"{_operand(node.left)} {node.operator} {_operand(node.right)}"


def _unary(node: nodes.UnaryExpr) -> str:
    return f"{node.operator}{' ' if node.operator == 'not' else ''}{_operand(node.node)}"


def _compare(node: nodes.Compare) -> str:
    return _operand(node.expr) + "".join(f" {SYMBOLS[each.op]} {_operand(each.expr)}" for each in node.ops)


_ATOMS: tuple[type[nodes.Expr], ...] = (
    nodes.Call,
    nodes.Const,
    nodes.Dict,
    nodes.Filter,
    nodes.Getattr,
    nodes.Getitem,
    nodes.List,
    nodes.Name,
    nodes.Tuple,
)
_RENDERERS: dict[type[nodes.Node], Callable[[Any], str]] = {
    nodes.Call: lambda node: f"{_owner(node.node)}({_arguments(node)})",
    nodes.Compare: _compare,
    nodes.Concat: lambda node: " ~ ".join(map(_operand, node.nodes)),
    nodes.CondExpr: _conditional,
    nodes.Const: _const,
    nodes.Dict: _dict,
    nodes.Filter: _filter,
    nodes.Getattr: lambda node: f"{_owner(node.node)}.{node.attr}",
    nodes.Getitem: _item,
    nodes.List: lambda node: f"[{_listed(node.items)}]",
    nodes.Name: lambda node: str(node.name),
    nodes.Test: _test,
    nodes.Tuple: _tuple,
    **dict.fromkeys((nodes.Neg, nodes.Not, nodes.Pos), _unary),
    **dict.fromkeys(
        (nodes.Add, nodes.And, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Mul, nodes.Or, nodes.Pow, nodes.Sub), _binary
    ),
}
