"""The types of arithmetic and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from rallyflow.compile.inference.names import CellsOf, Function, TypeProblem
from rallyflow.compile.inference.shapes import (
    article,
    is_list,
    is_mapping,
    is_number,
    items_of,
    list_of,
    options,
    union,
)
from rallyflow.expressions.operators import SYMBOLS


def arithmetic(symbol: str, left: Any, right: Any) -> Any:
    """Return the type of the result of an operator; TypeProblem when there can be none."""
    rule = _added if symbol == "+" else _calculated
    hint = ""
    if symbol == "+" and str in (*options(left), *options(right)):
        hint = "'~' joins values of any kind to a text"
    return _pairs(symbol, left, right, lambda one, other: rule(symbol, one, other), hint)


def _added(symbol: str, left: Any, right: Any) -> Any | None:
    if left is str and right is str:
        return str
    if is_list(left) and is_list(right):
        item = union([items_of(left), items_of(right)])
        return list_of(item)
    return _calculated(symbol, left, right)


def _calculated(symbol: str, left: Any, right: Any) -> Any | None:
    if not (is_number(left) and is_number(right)):
        return None
    if symbol == "/" or float in (left, right):
        return float
    return union([int, float]) if symbol == "**" else int


def signed(symbol: str, operand: Any) -> Any:
    """Return the type of a number with a sign; TypeProblem for what is no number."""
    found = [Any if each is Any else _calculated("-", each, int) for each in options(operand)]
    if not any(found):
        raise TypeProblem("RF0224", f"{symbol!r} is for numbers only, not for {article(operand)}")
    return union(each for each in found if each)


def compared(name: str, left: Any, right: Any) -> Any:
    """Return the type of a comparison; TypeProblem when the two can't be compared."""
    if name in ("eq", "ne"):
        return bool
    rule = _contained if name in ("in", "notin") else _ordered
    _pairs(SYMBOLS[name], left, right, rule)
    return bool


def _ordered(left: Any, right: Any) -> Any | None:
    same = (
        (is_number(left) and is_number(right)) or (left is str and right is str) or (is_list(left) and is_list(right))
    )
    return bool if same else None


def _contained(left: Any, right: Any) -> Any | None:
    if right is str:
        return bool if left is str else None
    return bool if is_list(right) or is_mapping(right) else None


def _pairs(symbol: str, left: Any, right: Any, rule: Callable[[Any, Any], Any | None], hint: str = "") -> Any:
    """Return what comes out for everything that two operands may be; TypeProblem when nothing can."""
    pairs = list(product(options(left), options(right)))
    made = [Any if Any in pair else rule(*pair) for pair in pairs]
    found = [result for result in made if result is not None]
    if not found:
        raise TypeProblem("RF0224", f"{symbol!r} can't be used between {article(left)} and {article(right)}", hint)
    return union(found)


def must_be_data(annotation: Any, source: Callable[[], str]) -> Any:
    """Return a type that is one of plain data; TypeProblem for a function or a step with several cells."""
    if isinstance(annotation, Function):
        raise TypeProblem("RF0241", f"{source()} is a function, not a value", "call it: add () after its name")
    if isinstance(annotation, CellsOf):
        raise TypeProblem("RF0224", f"{source()} is a step with several cells", "name one of its outputs after it")
    return annotation
