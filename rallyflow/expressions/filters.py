"""What the filters of expressions do: each takes the budget, the value, and then what stands in parentheses.

They pay for what they touch, and give lists where Jinja2 gives generators.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from rallyflow.expressions import lookup, operators
from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import ExpressionError, NoValue
from rallyflow.expressions.values import Missing, defined, json_of, kind_of, text_of

_WORDS = re.compile(r"([-\s({\[<]+)")
_MAX_RANGE = 10_000
_MAX_BOUND = 2**53


def bounded_range(budget: Budget, *bounds: int) -> list[int]:
    """Return the numbers of Python's range, unless they are too many."""
    if any(abs(bound) > _MAX_BOUND for bound in bounds):
        raise ExpressionError("a range of numbers that are too large")
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise ExpressionError(f"a range of {len(numbers)} numbers; at most {_MAX_RANGE}")
    budget.spend(len(numbers))
    return list(numbers)


def items_of(budget: Budget, value: Any) -> list[Any]:
    """Return the items of a list, the keys of a mapping or the characters of a text."""
    if not isinstance(value, list | tuple | str | Mapping):
        raise NoValue(f"{kind_of(value)} has no items")
    budget.spend(1 + len(value))
    return list(value)


def textual(function: Callable[[str], str]) -> Callable[[Budget, Any], str]:
    """Return the filter that a function of texts makes of any value's text."""

    def changed(budget: Budget, value: Any) -> str:
        text = text_of(value, budget)
        budget.text(len(text))
        return function(text)

    return changed


def titled(text: str) -> str:
    """Return a text with every word in lower case behind its first letter."""
    return "".join(word[:1].upper() + word[1:].lower() for word in _WORDS.split(text))


def getter(budget: Budget, path: Any, default: Any = None) -> Callable[[Any], Any]:
    """Return a function that looks a dotted path up in an item."""
    if path is None:
        return lambda item: item
    parts = [int(part) if part.isdecimal() else part for part in path.split(".")] if isinstance(path, str) else [path]

    def get(item: Any) -> Any:
        for part in parts:
            budget.spend(1)
            owner = defined(item)
            item = lookup.item(owner, part, budget, partial(kind_of, owner))
            if default is not None and isinstance(item, Missing):
                item = default
        return item

    return get


def _sort_keys(budget: Budget, values: list[Any], path: Any, *, case_sensitive: bool) -> list[Any]:
    get = getter(budget, path)
    found = [defined(get(value)) for value in values]
    price = budget.weigh(found)
    if any(not operators.ordered(one, other) for one, other in pairwise(found)):
        raise NoValue("values of different kinds have no order")
    budget.spend(price * len(found).bit_length() // 8)
    return found if case_sensitive else [_folded(key) for key in found]


def _folded(key: Any) -> Any:
    return key.lower() if isinstance(key, str) else key


def default(_budget: Budget, value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    """Return a value, or the default when it is missing (or, when asked, counts as false)."""
    return default_value if isinstance(value, Missing) or (boolean and not value) else value


def length(_budget: Budget, value: Any) -> int:
    """Return how many items, keys or characters a value has."""
    if not isinstance(value, list | tuple | str | Mapping):
        raise NoValue(f"{kind_of(value)} has no length")
    return len(value)


def end(which: int, budget: Budget, value: Any) -> Any:
    """Return the first or the last item; Missing when there is none."""
    found = value if isinstance(value, list | tuple | str) else items_of(budget, value)
    return found[which] if found else Missing("there is no first or last item: the list is empty")


def extreme(reverse: bool, budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> Any:
    """Return the smallest or the largest item, by a field of it when one is named; Missing when there is none."""
    values = items_of(budget, value)
    if not values:
        return Missing("there is no smallest or largest item: the list is empty")
    keys = _sort_keys(budget, values, attribute, case_sensitive=bool(case_sensitive))
    return values[(max if reverse else min)(range(len(keys)), key=keys.__getitem__)]


def sort(
    budget: Budget, value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    """Return the items in order, by one or more fields when they are named, with commas between."""
    values = items_of(budget, value)
    paths = attribute.split(",") if isinstance(attribute, str) else [attribute]
    columns = [_sort_keys(budget, values, path, case_sensitive=bool(case_sensitive)) for path in paths]
    keys = list(zip(*columns, strict=True))
    return [values[index] for index in sorted(range(len(values)), key=keys.__getitem__, reverse=bool(reverse))]


def unique(budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    """Return the items that differ, or whose field does, each where it comes first."""
    get = getter(budget, attribute)
    found: dict[Any, Any] = {}
    for item in items_of(budget, value):
        budget.spend(2)
        key = defined(get(item))
        if isinstance(key, list | tuple | Mapping):
            key = ("json", json_of(key, budget))
        found.setdefault(key if case_sensitive else _folded(key), item)
    return list(found.values())


def total(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """Return the sum of the items, or of a field of each; lists are put in one."""
    get = getter(budget, attribute)
    for item in items_of(budget, value):
        start = operators.add(start, defined(get(item)), budget)
    return start


def join(budget: Budget, value: Any, d: Any = "", attribute: Any = None) -> str:
    """Return the texts of the items, or of a field of each, in one."""
    get = getter(budget, attribute)
    texts = [text_of(defined(get(item)), budget) for item in items_of(budget, value)]
    between = text_of(d, budget)
    budget.text(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def replaced(budget: Budget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    """Return a text with other words in it."""
    text, old, new = text_of(value, budget), text_of(old, budget), text_of(new, budget)
    budget.text(len(text))
    budget.text(len(text) + text.count(old) * len(new))
    return text.replace(old, new, -1 if count is None else count)


def rounded(_budget: Budget, value: Any, precision: int = 0, method: str = "common") -> float:
    """Return a number rounded to a number of digits; always a float."""
    if method == "common":
        return round(float(value), precision)
    if method not in ("ceil", "floor"):
        raise NoValue("the method of round is 'common', 'ceil' or 'floor'")
    if abs(precision) > 300:
        raise NoValue("the precision of round is too large")
    scale = 10.0**precision
    return float(getattr(math, method)(value * scale) / scale)


def whole(_budget: Budget, value: Any, default: Any = 0, base: int = 10) -> Any:
    """Return a whole number made of a number or text; the default when that can't be."""
    if isinstance(value, list | tuple | Mapping):
        return default
    try:
        return operators.bounded(int(value, base) if isinstance(value, str) else int(value))
    except (TypeError, ValueError):
        try:
            return operators.bounded(int(float(value)))
        except (TypeError, ValueError, OverflowError):
            return default


def number(_budget: Budget, value: Any, default: Any = 0.0) -> Any:
    """Return a number made of a text; the default when that can't be."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def absolute(_budget: Budget, value: Any) -> Any:
    """Return a number without its sign."""
    return abs(operators.signed("+", value))


def pairs(budget: Budget, value: Any) -> list[Any]:
    """Return a list of the keys of a mapping, each with its value."""
    if not isinstance(value, Mapping):
        raise NoValue(f"items is for mappings, not for {kind_of(value)}")
    budget.spend(2 * len(value))
    return list(value.items())


def trim(budget: Budget, value: Any, chars: str | None = None) -> str:
    """Return a text without spaces, or other characters, at its ends."""
    text = text_of(value, budget)
    budget.text(len(text))
    return text.strip(chars)


def split(budget: Budget, value: Any, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    """Return the words of a text, or what stands between separators."""
    text = text_of(value, budget)
    budget.text(len(text))
    parts = text.split(sep, maxsplit)
    budget.spend(len(parts))
    return parts


def from_json(budget: Budget, value: Any) -> Any:
    """Return the value that a JSON text stands for."""
    if not isinstance(value, str):
        raise NoValue(f"from_json reads a text, not {kind_of(value)}")
    budget.spend(len(value) // 2)
    return json.loads(value)


def backwards(budget: Budget, value: Any) -> Any:
    """Return a text or list from its end to its start."""
    if isinstance(value, str):
        budget.text(len(value))
        return value[::-1]
    return items_of(budget, value)[::-1]


def basename(budget: Budget, value: Any) -> str:
    """Return the last part of a path."""
    if not isinstance(value, str):
        raise NoValue(f"basename is for texts, not for {kind_of(value)}")
    budget.text(len(value))
    return value.rstrip("/").rpartition("/")[2]
