"""The types of fields, items and slices."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from jinja2 import nodes

from rallyflow.compile import types
from rallyflow.compile.inference.names import CellsOf, Function, Record, TypeProblem
from rallyflow.compile.inference.shapes import (
    article,
    described,
    each,
    fields_of,
    is_list,
    is_mapping,
    items_of,
    list_of,
    options,
    union,
    values_of,
)
from rallyflow.expressions import render
from rallyflow.expressions.lookup import LIST_METHODS, MAPPING_METHODS, TEXT_METHODS
from rallyflow.hints import did_you_mean

METHODS: tuple[tuple[Any, frozenset[str]], ...] = (
    (is_mapping, MAPPING_METHODS),
    (is_list, LIST_METHODS),
    (lambda option: option is str, TEXT_METHODS),
    (lambda option: isinstance(option, CellsOf), frozenset({"where"})),
)


def methods_of(option: Any) -> frozenset[str]:
    """Return the names of the methods that may be called on a value of a type."""
    return next((names for holds, names in METHODS if holds(option)), frozenset())


def attribute(owner: nodes.Node, annotation: Any, name: str) -> Any:
    """Return the type of `owner.name`; TypeProblem when the owner has no such field."""
    return each(annotation, lambda option: field(option, name), lambda: _no_field(owner, annotation, name))


def field(option: Any, name: str) -> Any | None:
    """Return the type of a field or method of an option; None when it has none such."""
    fields = fields_of(option)
    if fields is not None and name in fields:
        return fields[name]
    if types.is_model(option) and option.model_config.get("extra") == "allow":
        return Any
    if fields is None and is_mapping(option):
        return values_of(option)
    return Function(name) if name in methods_of(option) else None


def item(node: nodes.Getitem, annotation: Any, key: Any) -> Any:
    """Return the type of `owner[key]`; TypeProblem when the owner has no such item."""
    known = get_args(key)[0] if get_origin(key) is Literal and len(get_args(key)) == 1 else None
    if isinstance(known, str):
        return attribute(node.node, annotation, known)
    keys = list(options(key))

    def rule(option: Any) -> Any | None:
        return union(found) if (found := [made for each in keys if (made := _indexed(option, each, known))]) else None

    return each(annotation, rule, lambda: _no_item(node, annotation, key))


def _indexed(option: Any, key: Any, known: Any) -> Any | None:
    if key is Any:
        return Any
    if key in (int, bool) and (is_list(option) or option is str):
        places = get_args(option) if types.is_fixed(option) else ()
        if not places or known is None:
            return items_of(option)
        return places[known] if -len(places) <= known < len(places) else None
    if key is str:
        return Any if is_mapping(option) or is_list(option) or option is str or isinstance(option, CellsOf) else None
    return values_of(option) if is_mapping(option) and key in (int, bool, float, types.NONE) else None


def cut(node: nodes.Getitem, annotation: Any, bounds: list[Any]) -> Any:
    """Return the type of `owner[start:stop:step]`."""
    for bound in bounds:
        if not any(option in (int, bool, types.NONE, Any) for option in options(bound)):
            raise TypeProblem("RF0224", f"{render(node)}: {article(bound)} can't be a bound of a slice")

    def rule(option: Any) -> Any | None:
        if option is str:
            return str
        return list_of(items_of(option)) if is_list(option) else None

    return each(
        annotation, rule, lambda: TypeProblem("RF0223", f"{described(node.node, annotation)}; it can't be sliced")
    )


def path(owner: nodes.Node, annotation: Any, dotted: str) -> Any:
    """Return the type at a dotted path below the items of a list, as `map(attribute='a.b')` goes."""
    for part in dotted.split("."):
        annotation = _step(owner, annotation, part)
        owner = nodes.Getattr(owner, part, "load")
    return annotation


def _step(owner: nodes.Node, annotation: Any, part: str) -> Any:
    def rule(option: Any) -> Any | None:
        return _indexed(option, int, int(part)) if part.isdecimal() else field(option, part)

    return each(annotation, rule, lambda: _no_field(owner, annotation, part))


def _no_field(owner: nodes.Node, annotation: Any, name: str) -> TypeProblem:
    if isinstance(annotation, Record):
        return TypeProblem(
            annotation.code, f"there is no {annotation.what} {name!r}", did_you_mean(name, annotation.fields)
        )
    known = [key for option in options(annotation) for key in fields_of(option) or ()]
    if isinstance(owner, nodes.Getattr) and isinstance(owner.node, nodes.Name) and owner.node.name == "steps":
        hint = did_you_mean(name, known, "its outputs are: {}") or "it has no outputs"
        return TypeProblem("RF0223", f"step {owner.attr!r} has no output {name!r}", hint)
    hint = did_you_mean(name, known, "its fields are: {}") if known else _hint_for_list(owner, annotation, name)
    return TypeProblem("RF0223", f"{described(owner, annotation)}; it has no field {name!r}", hint)


def _hint_for_list(owner: nodes.Node, annotation: Any, name: str) -> str:
    items = [types.item_type(option) for option in options(annotation) if is_list(option)]
    if not any(name in (fields_of(found) or ()) for each in items for found in options(each)):
        return ""
    source = render(owner)
    return f"of one of them: {source}[0].{name}; of all: {source} | map(attribute={name!r})"


def _no_item(node: nodes.Getitem, annotation: Any, key: Any) -> TypeProblem:
    return TypeProblem("RF0223", f"{described(node.node, annotation)}; it has no item [{render(node.arg)}]", _why(key))


def _why(key: Any) -> str:
    return "" if any(option in (int, bool) for option in options(key)) else f"the index is {article(key)}"
