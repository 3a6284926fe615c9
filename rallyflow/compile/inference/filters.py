"""The types of what filters give, and which values filters and tests take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from jinja2 import nodes

from rallyflow.compile import types
from rallyflow.compile.inference import lookup, operations
from rallyflow.compile.inference.names import TypeProblem
from rallyflow.compile.inference.shapes import (
    described,
    each,
    is_any,
    is_list,
    is_mapping,
    is_number,
    items_of,
    list_of,
    options,
    tuple_of,
    union,
    values_of,
    without_none,
)
from rallyflow.expressions.failures import ExpressionError
from rallyflow.expressions.library import find


@dataclass(frozen=True, slots=True)
class Use:
    """A filter or test where it is used: on which part of the expression, and with arguments of which types."""

    owner: nodes.Node
    arguments: list[Any]
    named: dict[str, Any]

    def text(self, name: str, position: int | None = None) -> str | None:
        """Return an argument that is a text written out; None for any other, or when it is not given."""
        found = self.named.get(name)
        if found is None and position is not None and position < len(self.arguments):
            found = self.arguments[position]
        value = get_args(found)[0] if get_origin(found) is Literal and len(get_args(found)) == 1 else None
        return value if isinstance(value, str) else None

    def rest(self, count: int) -> Use:
        """Return the use of a filter or test on each item, which the first arguments name."""
        return Use(self.item, self.arguments[count:], self.named)

    @property
    def item(self) -> nodes.Node:
        """One of the items of what it is used on, for messages."""
        return nodes.Getitem(self.owner, nodes.Const(0), "load")


def apply(use: Use, name: str, have: Any) -> Any:
    """Return the type of what a filter makes of a type; TypeProblem when it can't, or is used wrongly."""
    _check_call("filter", name, use)
    if name == "default":
        return _default(use, have)
    if is_any(have) and name in _OF_ITEMS:
        return _OF_ITEMS[name](use, Any)
    return each(have, lambda option: _filtered(use, name, option), lambda: _misfit(use, f"the filter {name!r}", have))


def _filtered(use: Use, name: str, option: Any) -> Any | None:
    if name in _OF_ITEMS:
        item = items_of(option)
        return _OF_ITEMS[name](use, item) if item is not None else None
    takes, gives = _SIMPLE[name]
    if not takes(option):
        return None
    return gives(use, option) if inspect.isfunction(gives) else gives


def test(use: Use, name: str, have: Any) -> None:
    """Check the use of a test; TypeProblem when it can never give an answer."""
    _check_call("test", name, use)
    if name in ("even", "odd", "divisibleby") and not any(is_number(each) or each is Any for each in options(have)):
        raise _misfit(use, f"the test {name!r}", have)
    if name in _COMPARISONS and use.arguments:
        operations.compared(_COMPARISONS[name], have, use.arguments[0])


def _check_call(kind: str, name: str, use: Use) -> None:
    try:
        _signature(kind, name).bind(None, None, *use.arguments, **use.named)
    except ExpressionError as error:
        raise TypeProblem("RF0241", str(error), error.hint) from error
    except TypeError as error:
        raise TypeProblem("RF0241", f"the {kind} {name!r} can't be used like that: {error}") from error


@lru_cache(maxsize=256)
def _signature(kind: str, name: str) -> inspect.Signature:
    return inspect.signature(find(kind, name))


def _misfit(use: Use, what: str, have: Any) -> TypeProblem:
    return TypeProblem("RF0224", f"{described(use.owner, have)}; {what} can't be used on it")


# --- filters that take a value as a whole: what they take, and what they give ---


def _same(_use: Use, option: Any) -> Any:
    return int if option is bool else option


def _pairs(_use: Use, option: Any) -> Any:
    return list_of(tuple_of(items_of(option), values_of(option)))


def _reversed(_use: Use, option: Any) -> Any:
    return str if option is str else list_of(items_of(option))


def _number(kind: type) -> Callable[[Use, Any], Any]:
    def converted(use: Use, option: Any) -> Any:
        default = [*use.arguments[:1], *(use.named[name] for name in ("default",) if name in use.named)]
        return union([kind, *default]) if not is_number(option) else kind

    return converted


def _has_items(option: Any) -> bool:
    return items_of(option) is not None


def _anything(_option: Any) -> bool:
    return True


def _text_or_number(option: Any) -> bool:
    return option is str or is_number(option)


def _is_text(option: Any) -> bool:
    return option is str


_SIMPLE: dict[str, tuple[Callable[[Any], bool], Any]] = {
    "abs": (is_number, _same),
    "basename": (_is_text, str),
    "duration": (_text_or_number, float),
    "float": (_anything, _number(float)),
    "from_json": (_is_text, Any),
    "int": (_anything, _number(int)),
    "items": (is_mapping, _pairs),
    "length": (_has_items, int),
    "reverse": (_has_items, _reversed),
    "round": (_text_or_number, float),
    "size": (_text_or_number, int),
    **dict.fromkeys(("capitalize", "json", "lower", "replace", "string", "title", "trim", "upper"), (_anything, str)),
    "split": (_anything, list[str]),
}


def _default(use: Use, have: Any) -> Any:
    fallback = use.arguments[0] if use.arguments else use.named.get("default_value", str)
    return union([without_none(have) if len(use.arguments) > 1 or "boolean" in use.named else have, fallback])


# --- filters that take the items of a list, the keys of a mapping or the characters of a text ---


def _field(use: Use, item: Any, dotted: str | None) -> Any:
    """Return the type of the field of the items that a filter looks at: the items themselves when none is named."""
    if dotted is None:
        return Any if "attribute" in use.named else item
    return lookup.path(use.item, item, dotted)


def _map(use: Use, item: Any) -> Any:
    if use.arguments:
        name = use.text("", 0)
        return list_of(apply(use.rest(1), name, item) if name is not None else Any)
    if "attribute" not in use.named or set(use.named) - {"attribute", "default"}:
        raise TypeProblem("RF0241", "map takes a filter, or attribute= and default=")
    found = _field(use, item, use.text("attribute"))
    return list_of(union([found, use.named["default"]]) if "default" in use.named else found)


def _select(use: Use, item: Any) -> Any:
    if use.arguments and (name := use.text("", 0)) is not None:
        test(use.rest(1), name, item)
    return list_of(item)


def _select_by_field(use: Use, item: Any) -> Any:
    if not use.arguments:
        raise TypeProblem("RF0241", "selectattr and rejectattr take the name of a field")
    dotted = use.text("", 0)
    found = _field(use, item, dotted) if dotted is not None else Any
    if len(use.arguments) > 1 and (name := use.text("", 1)) is not None:
        test(use.rest(2), name, found)
    return list_of(item)


def _sorted(use: Use, item: Any) -> Any:
    for dotted in (use.text("attribute", 2) or "").split(","):
        _check_order(_field(use, item, dotted or None))
    return list_of(item)


def _extreme(use: Use, item: Any) -> Any:
    _check_order(_field(use, item, use.text("attribute", 1)))
    return item


def _check_order(found: Any) -> None:
    """Refuse what has no order, which is only seen when there are two of them."""
    if not any(each is Any or each is str or is_number(each) or is_list(each) for each in options(found)):
        name = types.name_of(found)
        raise TypeProblem("RF0224", f"values of the type {name} have no order", "name a field: sort(attribute='name')")


def _unique(use: Use, item: Any) -> Any:
    _field(use, item, use.text("attribute", 1))
    return list_of(item)


def _sum(use: Use, item: Any) -> Any:
    start = use.arguments[1] if len(use.arguments) > 1 else use.named.get("start", int)
    first = operations.arithmetic("+", start, _field(use, item, use.text("attribute", 0)))
    return union([start, first])


def _join(use: Use, item: Any) -> Any:
    _field(use, item, use.text("attribute", 1))
    return str


_OF_ITEMS: dict[str, Callable[[Use, Any], Any]] = {
    "first": lambda _use, item: item,
    "join": _join,
    "last": lambda _use, item: item,
    "list": lambda _use, item: list_of(item),
    "map": _map,
    "max": _extreme,
    "min": _extreme,
    "reject": _select,
    "rejectattr": _select_by_field,
    "select": _select,
    "selectattr": _select_by_field,
    "sort": _sorted,
    "sum": _sum,
    "unique": _unique,
}

_COMPARISONS = {
    **dict.fromkeys(("gt", "greaterthan", ">"), "gt"),
    **dict.fromkeys(("ge", ">="), "gteq"),
    **dict.fromkeys(("lt", "lessthan", "<"), "lt"),
    **dict.fromkeys(("le", "<="), "lteq"),
    "in": "in",
}
