"""The types of what methods give: those of texts, lists and mappings, and `where` of steps with several cells."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from jinja2 import nodes

from rallyflow.compile import types
from rallyflow.compile.inference.lookup import attribute, methods_of
from rallyflow.compile.inference.names import CellsOf, TypeProblem
from rallyflow.compile.inference.shapes import (
    article,
    fields_of,
    is_list,
    is_mapping,
    items_of,
    list_of,
    options,
    tuple_of,
    union,
    values_of,
)
from rallyflow.expressions import render
from rallyflow.hints import did_you_mean

_TEXT: dict[str, Any] = {
    **dict.fromkeys(("startswith", "endswith", "isdigit", "isalpha"), bool),
    **dict.fromkeys(("split", "rsplit", "splitlines"), list[str]),
    **dict.fromkeys(("partition", "rpartition"), tuple[str, str, str]),
    **dict.fromkeys(("count", "find"), int),
}


def call(annotation: Any, owner: nodes.Node, name: str, arguments: list[Any], named: dict[str, Any]) -> Any:
    """Return the type of what a method gives; TypeProblem when the owner has no such method."""
    if name == "where" and (isinstance(annotation, CellsOf) or _is_step(owner)):
        return _where(annotation, owner, arguments, named)
    found = [
        Any if option is Any else _result(option, name, arguments)
        for option in options(annotation)
        if option is Any or (name in methods_of(option) and not _is_field(option, name))
    ]
    if found:
        return union(found)
    found_field = attribute(owner, annotation, name)  # a problem of its own when it is nothing at all
    source = f"{render(owner)}.{name}"
    raise TypeProblem("RF0241", f"{source} is {article(found_field)}, not a function", f"without parentheses: {source}")


def _is_field(option: Any, name: str) -> bool:
    return name in (fields_of(option) or ())


def _is_step(owner: nodes.Node) -> bool:
    return isinstance(owner, nodes.Getattr) and isinstance(owner.node, nodes.Name) and owner.node.name == "steps"


def _where(annotation: Any, owner: nodes.Node, arguments: list[Any], named: dict[str, Any]) -> Any:
    if annotation is Any:
        return Any
    if not isinstance(annotation, CellsOf):
        raise TypeProblem("RF0243", f"{render(owner)} has no cells to choose from with where()")
    if arguments:
        raise TypeProblem("RF0243", "where() takes matrix axes by their names", "as in where(users=5)")
    for axis in named:
        if axis not in annotation.axes:
            hint = did_you_mean(axis, annotation.axes)
            raise TypeProblem("RF0243", f"the matrix of {render(owner)} has no axis {axis!r}", hint)
    return annotation.outputs


def _result(option: Any, name: str, arguments: list[Any]) -> Any:
    if option is str:
        return _TEXT.get(name, str)
    if is_list(option):
        return int
    assert is_mapping(option)  # noqa: S101 - nothing else has methods
    key, value = items_of(option), values_of(option)
    if name == "get":
        return _got(option, value, arguments)
    item = {"keys": key, "values": value, "items": tuple_of(key, value)}[name]
    return list_of(item)


def _got(option: Any, value: Any, arguments: list[Any]) -> Any:
    """Return the type of `owner.get(key, default)`."""
    default = arguments[1] if len(arguments) > 1 else types.NONE
    key = arguments[0] if arguments else Any
    fields = fields_of(option)
    if fields is not None and get_origin(key) is Literal:
        value = union(fields.get(name, default) for name in get_args(key))
    return union([value, default])
