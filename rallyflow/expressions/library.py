"""The filters and tests of expressions: one table of each, name to function.

They are Jinja2's, with its names and arguments, but they give lists where Jinja2 gives generators, and pay for what
they touch. Every function takes the budget, the value, and then what stands in parentheses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from rallyflow.expressions import operators
from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import ExpressionError, NoValue
from rallyflow.expressions.lookup import item as item_of
from rallyflow.expressions.values import Missing, defined, json_of, kind_of, text_of
from rallyflow.hints import did_you_mean
from rallyflow.units import parse_duration, parse_size

_WORDS = re.compile(r"([-\s({\[<]+)")
_MAX_RANGE = 10_000
_MAX_BOUND = 2**53
LOOKED_UP = frozenset({"default", "defined", "undefined"})
"""The filters and tests that take a value which is not there."""


def call_filter(budget: Budget, name: Any, value: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Return what a filter makes of a value."""
    budget.spend(1)
    if name not in LOOKED_UP:
        defined(value)
    return find("filter", name)(budget, value, *arguments, **named)


def call_test(budget: Budget, name: Any, value: Any, arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Return whether a test holds for a value."""
    budget.spend(1)
    if name not in LOOKED_UP:
        defined(value)
    return bool(find("test", name)(budget, value, *arguments, **named))


def find(kind: str, name: Any) -> Callable[..., Any]:
    """Return the function of a filter or test; ExpressionError when there is none of this name."""
    table = FILTERS if kind == "filter" else TESTS
    if not isinstance(name, str) or name not in table:
        hint = did_you_mean(name, table) if isinstance(name, str) else ""
        if isinstance(name, str) and "." in name:
            hint = "put parentheses around a filter before the dot: (a | first).name"
        raise ExpressionError(f"there is no {kind} {name!r}", hint, "RF0241")
    return table[name]


def bounded_range(budget: Budget, *bounds: int) -> list[int]:
    """Return the numbers of Python's range, unless they are too many."""
    if any(abs(bound) > _MAX_BOUND for bound in bounds):
        raise ExpressionError("a range of numbers that are too large")
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise ExpressionError(f"a range of {len(numbers)} numbers; at most {_MAX_RANGE}")
    budget.spend(len(numbers))
    return list(numbers)


def _items(budget: Budget, value: Any) -> list[Any]:
    """Return the items of a list, the keys of a mapping or the characters of a text."""
    if not isinstance(value, list | tuple | str | Mapping):
        raise NoValue(f"{kind_of(value)} has no items")
    budget.spend(1 + len(value))
    return list(value)


def _text(function: Callable[[str], str]) -> Callable[[Budget, Any], str]:
    def changed(budget: Budget, value: Any) -> str:
        text = text_of(value, budget)
        budget.text(len(text))
        return function(text)

    return changed


def _titled(text: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in _WORDS.split(text))


# --- what filters look at: the item itself, or a field of it ---


def _getter(budget: Budget, path: Any, default: Any = None) -> Callable[[Any], Any]:
    """Return a function that looks a dotted path up in an item."""
    if path is None:
        return lambda item: item
    parts = [int(part) if part.isdecimal() else part for part in path.split(".")] if isinstance(path, str) else [path]

    def get(item: Any) -> Any:
        for part in parts:
            budget.spend(1)
            owner = defined(item)
            item = item_of(owner, part, budget, partial(kind_of, owner))
            if default is not None and isinstance(item, Missing):
                item = default
        return item

    return get


def _sort_keys(budget: Budget, values: list[Any], path: Any, *, case_sensitive: bool) -> list[Any]:
    get = _getter(budget, path)
    found = [defined(get(value)) for value in values]
    price = budget.weigh(found)
    if any(not operators.ordered(one, other) for one, other in pairwise(found)):
        raise NoValue("values of different kinds have no order")
    budget.spend(price * len(found).bit_length() // 8)
    return found if case_sensitive else [_folded(key) for key in found]


def _folded(key: Any) -> Any:
    return key.lower() if isinstance(key, str) else key


# --- filters ---


def _default(_budget: Budget, value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if isinstance(value, Missing) or (boolean and not value) else value


def _length(_budget: Budget, value: Any) -> int:
    if not isinstance(value, list | tuple | str | Mapping):
        raise NoValue(f"{kind_of(value)} has no length")
    return len(value)


def _end(which: int, budget: Budget, value: Any) -> Any:
    found = value if isinstance(value, list | tuple | str) else _items(budget, value)
    return found[which] if found else Missing("there is no first or last item: the list is empty")


def _extreme(reverse: bool, budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> Any:
    values = _items(budget, value)
    if not values:
        return Missing("there is no smallest or largest item: the list is empty")
    keys = _sort_keys(budget, values, attribute, case_sensitive=bool(case_sensitive))
    return values[(max if reverse else min)(range(len(keys)), key=keys.__getitem__)]


def _sort(
    budget: Budget, value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    values = _items(budget, value)
    paths = attribute.split(",") if isinstance(attribute, str) else [attribute]
    columns = [_sort_keys(budget, values, path, case_sensitive=bool(case_sensitive)) for path in paths]
    keys = list(zip(*columns, strict=True))
    return [values[index] for index in sorted(range(len(values)), key=keys.__getitem__, reverse=bool(reverse))]


def _unique(budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    get = _getter(budget, attribute)
    found: dict[Any, Any] = {}
    for item in _items(budget, value):
        budget.spend(2)
        key = defined(get(item))
        if isinstance(key, list | tuple | Mapping):
            key = ("json", json_of(key, budget))
        found.setdefault(key if case_sensitive else _folded(key), item)
    return list(found.values())


def _sum(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    get = _getter(budget, attribute)
    for item in _items(budget, value):
        start = operators.add(start, defined(get(item)), budget)
    return start


def _join(budget: Budget, value: Any, d: Any = "", attribute: Any = None) -> str:
    get = _getter(budget, attribute)
    texts = [text_of(defined(get(item)), budget) for item in _items(budget, value)]
    between = text_of(d, budget)
    budget.text(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _replace(budget: Budget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    text, old, new = text_of(value, budget), text_of(old, budget), text_of(new, budget)
    budget.text(len(text))
    budget.text(len(text) + text.count(old) * len(new))
    return text.replace(old, new, -1 if count is None else count)


def _round(_budget: Budget, value: Any, precision: int = 0, method: str = "common") -> float:
    if method == "common":
        return round(float(value), precision)
    if method not in ("ceil", "floor"):
        raise NoValue("the method of round is 'common', 'ceil' or 'floor'")
    if abs(precision) > 300:
        raise NoValue("the precision of round is too large")
    scale = 10.0**precision
    return float(getattr(math, method)(value * scale) / scale)


def _int(_budget: Budget, value: Any, default: Any = 0, base: int = 10) -> Any:
    if isinstance(value, list | tuple | Mapping):
        return default
    try:
        return operators.bounded(int(value, base) if isinstance(value, str) else int(value))
    except (TypeError, ValueError):
        try:
            return operators.bounded(int(float(value)))
        except (TypeError, ValueError, OverflowError):
            return default


def _float(_budget: Budget, value: Any, default: Any = 0.0) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _abs(_budget: Budget, value: Any) -> Any:
    return abs(operators.signed("+", value))


def _map(budget: Budget, value: Any, *arguments: Any, **named: Any) -> list[Any]:
    values = _items(budget, value)
    if arguments:
        return [defined(call_filter(budget, arguments[0], item, arguments[1:], named)) for item in values]
    if "attribute" not in named or set(named) - {"attribute", "default"}:
        raise NoValue("map takes a filter, or attribute= and default=")
    return [defined(item) for item in map(_getter(budget, named["attribute"], named.get("default")), values)]


def _chosen(wanted: bool, by_field: bool, budget: Budget, value: Any, *arguments: Any, **named: Any) -> list[Any]:
    """Return the items for which a test (that they are true, when none is named) holds or does not."""
    if by_field and not arguments:
        raise NoValue("selectattr and rejectattr take the name of a field")
    get = _getter(budget, arguments[0] if by_field else None)
    test = arguments[1:] if by_field else arguments

    def holds(item: Any) -> bool:
        found = get(item)
        return call_test(budget, test[0], found, test[1:], named) if test else bool(defined(found))

    return [item for item in _items(budget, value) if holds(item) is wanted]


def _pairs(budget: Budget, value: Any) -> list[Any]:
    if not isinstance(value, Mapping):
        raise NoValue(f"items is for mappings, not for {kind_of(value)}")
    budget.spend(2 * len(value))
    return list(value.items())


def _trim(budget: Budget, value: Any, chars: str | None = None) -> str:
    text = text_of(value, budget)
    budget.text(len(text))
    return text.strip(chars)


def _split(budget: Budget, value: Any, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    text = text_of(value, budget)
    budget.text(len(text))
    parts = text.split(sep, maxsplit)
    budget.spend(len(parts))
    return parts


def _from_json(budget: Budget, value: Any) -> Any:
    if not isinstance(value, str):
        raise NoValue(f"from_json reads a text, not {kind_of(value)}")
    budget.spend(len(value) // 2)
    return json.loads(value)


def _reversed(budget: Budget, value: Any) -> Any:
    if isinstance(value, str):
        budget.text(len(value))
        return value[::-1]
    return _items(budget, value)[::-1]


def _basename(budget: Budget, value: Any) -> str:
    if not isinstance(value, str):
        raise NoValue(f"basename is for texts, not for {kind_of(value)}")
    budget.text(len(value))
    return value.rstrip("/").rpartition("/")[2]


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "basename": _basename,
    "capitalize": _text(str.capitalize),
    "default": _default,
    "duration": lambda _budget, value: parse_duration(value),
    "first": partial(_end, 0),
    "float": _float,
    "from_json": _from_json,
    "int": _int,
    "items": _pairs,
    "join": _join,
    "json": lambda budget, value: json_of(value, budget),
    "last": partial(_end, -1),
    "length": _length,
    "list": _items,
    "lower": _text(str.lower),
    "map": _map,
    "max": partial(_extreme, True),
    "min": partial(_extreme, False),
    "reject": partial(_chosen, False, False),
    "rejectattr": partial(_chosen, False, True),
    "replace": _replace,
    "reverse": _reversed,
    "round": _round,
    "select": partial(_chosen, True, False),
    "selectattr": partial(_chosen, True, True),
    "size": lambda _budget, value: parse_size(value),
    "sort": _sort,
    "split": _split,
    "string": lambda budget, value: text_of(value, budget),
    "sum": _sum,
    "title": _text(_titled),
    "trim": _trim,
    "unique": _unique,
    "upper": _text(str.upper),
}


# --- tests ---


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _remainder(value: Any, divisor: Any, budget: Budget) -> Any:
    return operators.arithmetic("%", value, divisor, budget)


def _compared(name: str) -> Callable[[Budget, Any, Any], bool]:
    return lambda budget, value, other: operators.compare(name, value, other, budget)


_COMPARISONS = {
    alias: _compared(name)
    for name, aliases in {
        "eq": ("eq", "equalto", "=="),
        "ne": ("ne", "!="),
        "gt": ("gt", "greaterthan", ">"),
        "gteq": ("ge", ">="),
        "lt": ("lt", "lessthan", "<"),
        "lteq": ("le", "<="),
        "in": ("in",),
    }.items()
    for alias in aliases
}
TESTS: dict[str, Callable[..., Any]] = {
    "boolean": lambda _budget, value: isinstance(value, bool),
    "defined": lambda _budget, value: not isinstance(value, Missing),
    "divisibleby": lambda budget, value, num: _remainder(value, num, budget) == 0,
    "even": lambda budget, value: _remainder(value, 2, budget) == 0,
    "false": lambda _budget, value: value is False,
    "float": lambda _budget, value: isinstance(value, float),
    "integer": lambda _budget, value: isinstance(value, int) and not isinstance(value, bool),
    "iterable": lambda _budget, value: isinstance(value, list | tuple | str | Mapping),
    "lower": lambda budget, value: text_of(value, budget).islower(),
    "mapping": lambda _budget, value: isinstance(value, Mapping),
    "none": lambda _budget, value: value is None,
    "number": lambda _budget, value: _is_number(value),
    "odd": lambda budget, value: _remainder(value, 2, budget) == 1,
    "sequence": lambda _budget, value: isinstance(value, list | tuple | str | Mapping),
    "string": lambda _budget, value: isinstance(value, str),
    "true": lambda _budget, value: value is True,
    "undefined": lambda _budget, value: isinstance(value, Missing),
    "upper": lambda budget, value: text_of(value, budget).isupper(),
    **_COMPARISONS,
}
