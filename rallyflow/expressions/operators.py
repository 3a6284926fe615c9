"""Arithmetic, comparison and membership: only between kinds of values that go together, and paid for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import ExpressionError, NoValue
from rallyflow.expressions.values import kind_of

_MAX_BITS = 2048


def add(left: Any, right: Any, budget: Budget) -> Any:
    """Return the sum of two numbers, or two texts or two lists in one."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return bounded(left + right)
    if isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
        return left + right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        budget.spend(len(left) + len(right))
        return [*left, *right]
    hint = "'~' joins values of any kind to a text" if isinstance(left, str) or isinstance(right, str) else ""
    raise NoValue(f"'+' can't be used between {kind_of(left)} and {kind_of(right)}", hint)


def power(left: float, right: float) -> Any:
    """Return a power that is not too large to be sensible."""
    if abs(right) > 64 or abs(left) > 1e6:
        raise ExpressionError("the power is too large")
    result = left**right
    if isinstance(result, complex):
        raise NoValue("the root of a negative number")
    return result


NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": power,
}
"""The operators that are for numbers only."""


def arithmetic(symbol: str, left: Any, right: Any, budget: Budget) -> Any:
    """Return the result of an operator between two values."""
    if symbol == "+":
        return add(left, right, budget)
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        raise ExpressionError(f"{symbol!r} is for numbers only")
    return bounded(NUMERIC[symbol](bounded(left), bounded(right)))


def signed(symbol: str, value: Any) -> Any:
    """Return a number with a sign before it."""
    if not isinstance(value, int | float):
        raise ExpressionError(f"{symbol!r} is for numbers only")
    return -value if symbol == "-" else +value


def bounded(value: Any) -> Any:
    """Return a number; ExpressionError for a whole one of hundreds of digits, which takes time to work with."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ExpressionError("the number is too large")
    return value


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}
SYMBOLS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}
"""What a person writes for a comparison, by the name that Jinja2 has for it."""


def compare(name: str, left: Any, right: Any, budget: Budget) -> bool:
    """Return whether a comparison holds."""
    match name:
        case "eq":
            return equal(left, right, budget)
        case "ne":
            return not equal(left, right, budget)
        case "in":
            return contains(right, left, budget)
        case "notin":
            return not contains(right, left, budget)
    if not ordered(left, right):
        raise NoValue(f"{SYMBOLS[name]!r} can't compare {kind_of(left)} with {kind_of(right)}")
    _pay(left, right, budget)
    return _ORDER[name](left, right)


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Return whether two values are the same."""
    _pay(left, right, budget)
    return bool(left == right)


def ordered(left: Any, right: Any) -> bool:
    """Whether one of two values can be smaller than the other."""
    kinds: tuple[Any, ...] = (int | float, str, list | tuple)
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in kinds)


def contains(container: Any, value: Any, budget: Budget) -> bool:
    """Return whether a value is in a text, a list, or among the keys of a mapping."""
    if isinstance(container, str):
        if not isinstance(value, str):
            raise NoValue(f"only a text can be in a text, not {kind_of(value)}")
        budget.text(len(container))
        return value in container
    if isinstance(container, Mapping):
        return value in container
    if not isinstance(container, list | tuple):
        raise NoValue(f"nothing can be in {kind_of(container)}")
    if isinstance(value, list | tuple | Mapping):
        budget.weigh(container)
    else:
        budget.spend(len(container) * (1 + (len(value) // 64 if isinstance(value, str) else 0)))
    return value in container


def _pay(left: Any, right: Any, budget: Budget) -> None:
    """Pay for a comparison, which looks at no more than either value has."""
    if isinstance(left, str) and isinstance(right, str):
        budget.text(min(len(left), len(right)))
    elif isinstance(left, list | tuple | Mapping) and isinstance(right, list | tuple | Mapping):
        budget.weigh(left)
