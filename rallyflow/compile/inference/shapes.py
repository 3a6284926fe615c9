"""Types as the walker of expressions meets them: plain JSON data, one option at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import GenericAlias
from typing import Any, Literal, get_args, get_origin

from jinja2 import nodes

from rallyflow.compile import types
from rallyflow.compile.inference.names import CellsOf, Function, Record, TypeProblem
from rallyflow.expressions import render

NUMBERS = (bool, int, float)


def options(annotation: Any) -> Iterator[Any]:
    """Yield what a value of a type may be at run time: str, int, float, bool, None, a list, a mapping, a model, Any."""
    if isinstance(annotation, Record | CellsOf | Function):
        yield annotation
        return
    annotation = types.bare(annotation)
    if types.is_union(annotation):
        for option in get_args(annotation):
            yield from options(option)
    elif get_origin(annotation) is Literal:
        yield from dict.fromkeys(types.NONE if value is None else type(value) for value in get_args(annotation))
    elif types.is_scalar(annotation):
        yield from types.json_kinds(annotation)
    else:
        known = types.item_type(annotation) is not None or types.is_model(annotation) or types.is_mapping(annotation)
        yield annotation if known or annotation is types.NONE else Any


def list_of(item: Any) -> Any:
    """Return the type of a list of items of a type."""
    return GenericAlias(list, (item,))


def tuple_of(*items: Any) -> Any:
    """Return the type of a list of known length."""
    return GenericAlias(tuple, items)


def map_of(key: Any, value: Any) -> Any:
    """Return the type of a mapping."""
    return GenericAlias(dict, (key, value))


def is_any(annotation: Any) -> bool:
    """Whether nothing is known about a type."""
    return any(option is Any for option in options(annotation))


def is_number(option: Any) -> bool:
    """Whether an option is a number; true and false count as 1 and 0."""
    return option in NUMBERS


def is_mapping(option: Any) -> bool:
    """Whether an option is a mapping of any kind."""
    return isinstance(option, Record) or types.is_model(option) or types.is_mapping(option)


def is_list(option: Any) -> bool:
    """Whether an option is a list of any kind."""
    return not isinstance(option, Record | CellsOf | Function) and types.item_type(option) is not None


def union(found: Iterable[Any]) -> Any:
    """Return the type of a value that has one of several types."""
    distinct: list[Any] = []
    for each in found:
        if each not in distinct:
            distinct.append(each)
    if len(distinct) == 1:
        return distinct[0]
    return Any if any(isinstance(each, Record | CellsOf | Function) for each in distinct) else types.one_of(distinct)


def without_none(annotation: Any) -> Any:
    """Return a type without null, when there is anything else that it can be."""
    found = [option for option in options(annotation) if option is not types.NONE]
    return annotation if not found or not types.is_union(types.bare(annotation)) else union(found)


def items_of(option: Any) -> Any | None:
    """Return the type of what is in a list, of the keys of a mapping, or of the characters of a text."""
    if option is Any:
        return Any
    if is_list(option):
        return types.item_type(option)
    if is_mapping(option):
        arguments = get_args(option)
        return arguments[0] if len(arguments) == 2 else str if not types.is_mapping(option) else Any
    return str if option is str else None


def values_of(option: Any) -> Any:
    """Return the type of the values of a mapping."""
    if isinstance(option, Record):
        return union(option.fields.values()) if option.fields else Any
    if types.is_model(option):
        return union(types.fields_of(option).values()) if types.fields_of(option) else Any
    return types.value_type(option)


def fields_of(option: Any) -> Mapping[str, Any] | None:
    """Return the fields of a model, a name space or cells; None for a type without fields of its own."""
    if isinstance(option, Record):
        return option.fields
    if isinstance(option, CellsOf):
        return {name: list_of(field) for name, field in types.fields_of(option.outputs).items()}
    return types.fields_of(option) if types.is_model(option) else None


def each(annotation: Any, rule: Callable[[Any], Any | None], problem: Callable[[], TypeProblem]) -> Any:
    """Return what a rule makes of each thing that a type may be; the problem when it makes nothing of any of them."""
    made = [Any if option is Any else rule(option) for option in options(annotation)]
    found = [result for result in made if result is not None]
    if not found:
        raise problem()
    return union(found)


def described(node: nodes.Node, annotation: Any) -> str:
    """Return what an expression is, as in `steps.servers.servers[0] is a Server`."""
    return f"{render(node)} is {article(annotation)}"


def article(annotation: Any) -> str:
    """Return a type's name with its article."""
    if isinstance(annotation, CellsOf):
        return "a step with several cells"
    if isinstance(annotation, Function):
        return "a function"
    if isinstance(annotation, Record):
        return "a mapping"
    name = types.name_of(annotation)
    if name in ("null", "true or false", types.OUTPUTS) or name.startswith("'"):
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
