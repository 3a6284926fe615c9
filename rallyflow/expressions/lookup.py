"""Fields, items, slices and methods: all that can stand after a dot or in brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rallyflow.expressions.budget import Budget
from rallyflow.expressions.cells import Cells
from rallyflow.expressions.failures import NoValue
from rallyflow.expressions.values import Method, Missing, kind_of

TEXT_METHODS = frozenset(
    {"startswith", "endswith", "split", "rsplit", "splitlines", "partition", "rpartition", "strip", "lstrip", "rstrip"}
    | {"lower", "upper", "removeprefix", "removesuffix", "count", "find", "isdigit", "isalpha"}
)
MAPPING_METHODS = frozenset({"get", "keys", "values", "items"})
LIST_METHODS = frozenset({"index", "count"})
"""What an expression may call on a value: nothing that can grow beyond the value itself, as `ljust` and `format` do."""


def methods_of(value: Any) -> frozenset[str]:
    """Return the names of the methods that an expression may call on a value."""
    if isinstance(value, str):
        return TEXT_METHODS
    if isinstance(value, Mapping):
        return MAPPING_METHODS
    return LIST_METHODS if isinstance(value, list | tuple) else frozenset()


def attribute(owner: Any, name: str, budget: Budget, source: Callable[[], str]) -> Any:
    """Return what `owner.name` is; a mapping's keys come before its methods: an output may well be called `items`."""
    if isinstance(owner, Mapping):
        if name in owner:
            return owner[name]
    elif isinstance(owner, Cells):
        return _of_cells(owner, name, budget)
    if name in methods_of(owner):
        return Method(owner, name)
    if isinstance(owner, Mapping):
        return Missing(f"{source()} has no {name!r}", owner, name)
    return Missing(f"{name!r} of a {type(owner).__name__} can't be used in an expression")


def item(owner: Any, key: Any, budget: Budget, source: Callable[[], str]) -> Any:
    """Return what `owner[key]` is."""
    if isinstance(owner, list | tuple | str) and isinstance(key, int):
        if -len(owner) <= key < len(owner):
            return owner[key]
        return Missing(f"{source()} has {len(owner)} items, and so no item {key}")
    if isinstance(key, str):
        return attribute(owner, key, budget, source)
    if isinstance(owner, Mapping) and isinstance(key, int | float | None):
        return owner[key] if key in owner else Missing(f"{source()} has no {key!r}")
    raise NoValue(f"{kind_of(owner)} has no item that is named by {kind_of(key)}")


def cut(owner: Any, bounds: slice, budget: Budget) -> Any:
    """Return what `owner[start:stop:step]` is."""
    if not isinstance(owner, list | tuple | str):
        raise NoValue(f"{kind_of(owner)} can't be sliced")
    length = len(range(*bounds.indices(len(owner))))
    if isinstance(owner, str):
        budget.text(length)
    else:
        budget.spend(length)
    return owner[bounds]


def call(method: Method, arguments: list[Any], named: Mapping[str, Any], budget: Budget) -> Any:
    """Return what a method of a value gives for arguments."""
    owner, name = method.owner, method.name
    if isinstance(owner, Cells):
        if arguments:
            raise NoValue("where() takes matrix axes by their names", "as in where(users=5)")
        budget.spend(len(owner) * (1 + len(named)))
        return owner.where(**named)
    if isinstance(owner, str):
        budget.text(len(owner))
        result = getattr(owner, name)(*arguments, **named)
    elif name in ("index", "count"):
        budget.weigh(owner)
        result = getattr(owner, name)(*arguments, **named)
    elif name == "get":
        return owner.get(*arguments, **named)
    else:
        budget.spend(len(owner))
        result = list(getattr(owner, name)(*arguments, **named))
    budget.spend(len(result) if isinstance(result, list) else 0)
    return result


def _of_cells(cells: Cells, name: str, budget: Budget) -> Any:
    if name == "where":
        return Method(cells, name)
    if name.startswith("_"):
        return Missing(f"{name!r} can't be used in an expression")
    budget.spend(len(cells))
    return cells.field(name) if cells.may_have(name) else Missing(f"the cells have no output {name!r}")
