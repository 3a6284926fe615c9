"""Texts with `${{ … }}` in them: split, parsed once, evaluated as often as needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import ExpressionError, failing_as
from rallyflow.expressions.grammar import MAX_LENGTH, read
from rallyflow.expressions.references import Reference, as_reference, calls_in, references_in
from rallyflow.expressions.values import plain, text_of
from rallyflow.expressions.walker import Walker

_OPEN, _CLOSE = "${{", "}}"
_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\}\}|[{}]""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression."""

    source: str
    body: nodes.Expr
    references: tuple[Reference, ...]
    calls: tuple[str, ...]  # of FUNCTIONS
    direct: Reference | None  # the expression is nothing but this reference

    def evaluate(self, values: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """Return the expression's value as plain data; ExpressionError when it has none."""
        budget = budget or Budget()
        with failing_as(f"{self.source!r} has no value"):
            return plain(Walker(values, budget).visit(self.body), budget)


def is_template(value: object) -> bool:
    """Whether a value is a text with an expression in it."""
    return isinstance(value, str) and _OPEN in value


@lru_cache(maxsize=4096)
def parse_template(text: str) -> tuple[str | Expression, ...]:
    """Split a text into plain parts and expressions; ExpressionError when one can't be read."""
    parts: list[str | Expression] = []
    end = 0
    while (start := text.find(_OPEN, end)) >= 0:
        if start > end:
            parts.append(text[end:start])
        inner = start + len(_OPEN)
        end = _end_of(text, inner)
        parts.append(parse(text[inner:end].strip()))
        end += len(_CLOSE)
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts)


def _end_of(text: str, start: int) -> int:
    """Return where the braces of an expression close: not within its quotes, nor within braces of its own."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + 2 * MAX_LENGTH):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
        elif token[0] == _CLOSE:
            if depth <= 0:
                return token.start()
            depth -= 2
            if depth < 0:  # the first of the braces is the expression's own, the second is one of ours
                return _end_after(text, token.start() + 1)
    return _end_after(text, start)


def _end_after(text: str, start: int) -> int:
    end = text.find(_CLOSE, start)
    if end < 0:
        hint = "close it with '}}'; if it has '#' or ': ' inside, put quotes around the whole text"
        raise ExpressionError("'${{' without '}}' after it", hint)
    return end


@lru_cache(maxsize=4096)
def parse(source: str) -> Expression:
    """Read one expression; ExpressionError when it is empty, too long or not one."""
    body = read(source)
    return Expression(source, body, tuple(references_in(body)), calls_in(body), as_reference(body))


def evaluate_template(text: str, values: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """Return a text's value; ExpressionError when an expression in it has none.

    The expressions of the text share a budget; whoever evaluates many texts may give one for all of them.
    """
    budget = budget or Budget()
    parts = parse_template(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].evaluate(values, budget)
    return "".join(part if isinstance(part, str) else text_of(part.evaluate(values, budget), budget) for part in parts)


def expressions_of(text: str) -> list[Expression]:
    """Return the expressions in a text."""
    return [part for part in parse_template(text) if isinstance(part, Expression)]


def evaluate_node(node: nodes.Expr, values: Mapping[str, Any]) -> Any:
    """Return the value of a part of an expression; ExpressionError when it has none."""
    budget = Budget()
    with failing_as("it has no value"):
        return plain(Walker(values, budget).visit(node), budget)
