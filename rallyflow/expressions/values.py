"""The values that expressions have: plain data, their text, and what stands for a value that is not there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rallyflow.expressions.budget import Budget
from rallyflow.expressions.cells import Cells
from rallyflow.expressions.failures import ExpressionError, NoValue
from rallyflow.hints import did_you_mean


@dataclass(frozen=True, slots=True)
class Missing:
    """What a name, a field or an item that there is not evaluates to; only `default` and `is defined` take it."""

    what: str
    owner: Any = None  # what was asked for it: its keys make the hint
    name: str = ""

    @property
    def hint(self) -> str:
        """Which key was probably meant."""
        if not isinstance(self.owner, Mapping) or not self.name:
            return ""
        return did_you_mean(self.name, [key for key in islice(self.owner, 1000) if isinstance(key, str)])


@dataclass(frozen=True, slots=True)
class Method:
    """A method that an expression names; it is of use only when it is called."""

    owner: Any
    name: str


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"),
    (int | float, "a number"),
    (str, "a text"),
    (list | tuple, "a list"),
    (Mapping, "a mapping"),
    (type(None), "null"),
    (Cells, "a step with several cells"),
    (Method, "a function"),
)


def defined(value: Any) -> Any:
    """Return a value; NoValue when it is missing."""
    if type(value) is Missing:
        raise NoValue(value.what, value.hint)
    return value


_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, dict})


def data(value: Any) -> Any:
    """Return a value that something can be done with; an error for what is missing, a function or cells."""
    if type(value) in _PLAIN:
        return value
    if isinstance(defined(value), Method | Cells) or callable(value):
        raise _not_data(value)
    return value


def kind_of(value: Any) -> str:
    """Return what a value is, for people: `a text`, `a list`."""
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return "a function" if callable(value) else f"a {type(value).__name__}"


def plain(value: Any, budget: Budget) -> Any:
    """Return the value of a whole expression as plain JSON data of its own; ExpressionError for what is none."""
    if isinstance(value, str):
        return _unicode(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        budget.spend(2 * len(value))
        if len({type(key) for key in value}) > 1 or not all(isinstance(key, str | int | float) for key in value):
            raise ExpressionError("the keys of a mapping must all be texts, or all be numbers")
        return {plain(key, budget): plain(item, budget) for key, item in value.items()}
    if isinstance(value, list | tuple):
        budget.spend(len(value))
        return [plain(item, budget) for item in value]
    raise _not_data(value)


def text_of(value: Any, budget: Budget) -> str:
    """Return a value as it stands in a text: true, null, 1.5, and lists and mappings as compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, bool | float | list | tuple | Mapping):
        return json_of(value, budget)
    raise _not_data(value)


def json_of(value: Any, budget: Budget) -> str:
    """Return a value as compact JSON."""
    budget.weigh(value)
    return json.dumps(plain(value, budget), separators=(",", ":"), ensure_ascii=False)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ExpressionError(f"{value} is not a finite number")
    return value


def _unicode(value: str) -> str:
    try:
        if not value.isascii():
            value.encode()
    except UnicodeEncodeError:
        raise ExpressionError("a text with half of a character in it") from None
    return value


def _not_data(value: Any) -> ExpressionError:
    if isinstance(value, Missing):
        return ExpressionError(value.what, value.hint)
    if isinstance(value, Cells):
        return ExpressionError("a step with a matrix is not a value", "name one of its outputs after it")
    if isinstance(value, Method) or callable(value):
        return ExpressionError("a function is not a value", "call it: add () after its name")
    return ExpressionError(f"{kind_of(value)} is not plain data")
