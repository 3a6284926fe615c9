"""Reads one expression: Jinja2 parses it, and what is not in our language is refused."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, nodes

from rallyflow.expressions.failures import ExpressionError, failing_as
from rallyflow.expressions.library import find
from rallyflow.expressions.operators import bounded
from rallyflow.expressions.walker import HANDLERS

MAX_LENGTH = 2000
MAX_DEPTH = 100
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is ever rendered
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_FOREIGN = (
    (re.compile(r"\$\{\{"), "one pair of braces stands around all of it: ${{ success() and params.x }}"),
    (re.compile(r"['\"]"), "a quote is not closed"),
    (re.compile(r"&&"), "write `and` for '&&'"),
    (re.compile(r"\|\|"), "write `or` for '||'"),
    (re.compile(r"[=!]=="), "write '==' or '!='"),
    (re.compile(r"!(?!=)"), "write `not` for '!'"),
    (re.compile(r"\?"), "write `a if condition else b`"),
    (re.compile(r"^[^(=!<>]*=(?!=)"), "write '==' to compare"),
)
_PARTS = frozenset({*HANDLERS, nodes.Pair, nodes.Keyword, nodes.Operand, nodes.Slice})


def read(source: str) -> nodes.Expr:
    """Return the syntax tree of an expression; ExpressionError when it is empty, too long or not one."""
    if not source:
        raise ExpressionError("an empty expression", "write a name such as params.users between the braces")
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(source)} characters; at most {MAX_LENGTH}")
    try:
        with failing_as(f"can't read the expression {source!r}"):
            body = _only_expression(_ENVIRONMENT.parse("{{ " + source + " }}"))
            _check(body)
            return body
    except ExpressionError as error:
        error.hint = error.hint or _foreign_words(source)
        raise


def _foreign_words(source: str) -> str:
    """Return what to write for an operator of another language; empty when the expression has none."""
    code = _QUOTED.sub("_", source)
    return next((hint for sign, hint in _FOREIGN if sign.search(code)), "")


def _only_expression(template: nodes.Template) -> nodes.Expr:
    output = template.body[0] if len(template.body) == 1 else None
    found = output.nodes[0] if isinstance(output, nodes.Output) and len(output.nodes) == 1 else None
    if found is None or isinstance(found, nodes.TemplateData):
        raise ExpressionError("not one expression")
    return found


def _check(body: nodes.Expr) -> None:
    """Refuse what is no part of the language, and what is nested too deep to be evaluated."""
    level: list[nodes.Node] = [body]
    for _ in range(MAX_DEPTH):
        for node in level:
            _check_node(node)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise ExpressionError("the expression is nested too deep")


def _check_node(node: Any) -> None:
    kind = type(node)
    if kind not in _PARTS:
        raise ExpressionError(f"{kind.__name__} can't be used in an expression")
    if kind is nodes.Const:
        bounded(node.value)
    elif kind is nodes.Filter:
        find("filter", node.name)
    elif kind is nodes.Test:
        find("test", node.name)
    if kind in (nodes.Filter, nodes.Test, nodes.Call) and (node.dyn_args or node.dyn_kwargs):
        raise ExpressionError("'*' and '**' before arguments can't be used in an expression")
