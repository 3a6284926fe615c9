"""The filters and tests of expressions: one table of each, name to function.

They are Jinja2's, with its names and arguments, but they give lists where Jinja2 gives generators, and pay for what
they touch. Every function takes the budget, the value, and then what stands in parentheses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from rallyflow.expressions import filters, operators
from rallyflow.expressions.budget import Budget
from rallyflow.expressions.failures import ExpressionError, NoValue
from rallyflow.expressions.values import Missing, defined, json_of, text_of
from rallyflow.hints import did_you_mean
from rallyflow.units import parse_duration, parse_size

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


def _map(budget: Budget, value: Any, *arguments: Any, **named: Any) -> list[Any]:
    values = filters.items_of(budget, value)
    if arguments:
        return [defined(call_filter(budget, arguments[0], item, arguments[1:], named)) for item in values]
    if "attribute" not in named or set(named) - {"attribute", "default"}:
        raise NoValue("map takes a filter, or attribute= and default=")
    return [defined(item) for item in map(filters.getter(budget, named["attribute"], named.get("default")), values)]


def _chosen(wanted: bool, by_field: bool, budget: Budget, value: Any, *arguments: Any, **named: Any) -> list[Any]:
    """Return the items for which a test (that they are true, when none is named) holds or does not."""
    if by_field and not arguments:
        raise NoValue("selectattr and rejectattr take the name of a field")
    get = filters.getter(budget, arguments[0] if by_field else None)
    test = arguments[1:] if by_field else arguments

    def holds(item: Any) -> bool:
        found = get(item)
        return call_test(budget, test[0], found, test[1:], named) if test else bool(defined(found))

    return [item for item in filters.items_of(budget, value) if holds(item) is wanted]


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": filters.absolute,
    "basename": filters.basename,
    "capitalize": filters.textual(str.capitalize),
    "default": filters.default,
    "duration": lambda _budget, value: parse_duration(value),
    "first": partial(filters.end, 0),
    "float": filters.number,
    "from_json": filters.from_json,
    "int": filters.whole,
    "items": filters.pairs,
    "join": filters.join,
    "json": lambda budget, value: json_of(value, budget),
    "last": partial(filters.end, -1),
    "length": filters.length,
    "list": filters.items_of,
    "lower": filters.textual(str.lower),
    "map": _map,
    "max": partial(filters.extreme, True),
    "min": partial(filters.extreme, False),
    "reject": partial(_chosen, False, False),
    "rejectattr": partial(_chosen, False, True),
    "replace": filters.replaced,
    "reverse": filters.backwards,
    "round": filters.rounded,
    "select": partial(_chosen, True, False),
    "selectattr": partial(_chosen, True, True),
    "size": lambda _budget, value: parse_size(value),
    "sort": filters.sort,
    "split": filters.split,
    "string": lambda budget, value: text_of(value, budget),
    "sum": filters.total,
    "title": filters.textual(filters.titled),
    "trim": filters.trim,
    "unique": filters.unique,
    "upper": filters.textual(str.upper),
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
