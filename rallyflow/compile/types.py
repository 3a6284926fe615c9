"""What type a place in a pydantic model has, and whether a value of one type may go where another is wanted."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class ListOf:
    """The type of a field of a matrix step: a list over its cells."""

    item: Any


def at(annotation: Any, path: Sequence[str | int]) -> Any | None:
    """Return the type at a path below a type; Any where nothing is known, None where there is no such place."""
    annotation = bare(annotation)
    if not path or annotation is Any:
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        found = [at(option, path) for option in get_args(annotation) if option is not type(None)]
        return next((option for option in found if option is not None), None)
    inner = _inside(annotation, path[0])
    return at(inner, path[1:]) if inner is not None else None


def _inside(annotation: Any, key: str | int) -> Any | None:
    """Return the type of one key or item of a type; None where it has none such."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return fields_of(annotation).get(str(key))
    item = item_type(annotation)
    if item is not None:
        return item if _is_index(key) else None
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is not None and issubclass(origin, Mapping):
        return arguments[1] if len(arguments) == 2 else Any
    return None


def fields_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a model by the names that a file uses, with their types."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def bare(annotation: Any) -> Any:
    """Return a type without Annotated around it."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def fits(have: Any, want: Any) -> bool:
    """Whether a value of type `have` may go where `want` is; True whenever that can't be known here."""
    have, want = bare(have), bare(want)
    if have is Any or want is Any or have is None or want is None:
        return True
    if get_origin(want) in (Union, types.UnionType):
        return any(fits(have, option) for option in get_args(want) if option is not type(None))
    if get_origin(have) in (Union, types.UnionType):
        return any(fits(option, want) for option in get_args(have) if option is not type(None))
    have_item, want_item = item_type(have), item_type(want)
    if have_item is not None or want_item is not None:
        return have_item is not None and want_item is not None and fits(have_item, want_item)
    if _is_model(have) or _is_model(want):
        return _is_model(have) and _is_model(want) and issubclass(have, want)
    return _is_mapping(have) == _is_mapping(want)


def item_type(annotation: Any) -> Any | None:
    """Return the type of the items of a list type; None for anything else."""
    if isinstance(annotation, ListOf):
        return annotation.item
    origin = get_origin(annotation)
    if origin in (list, tuple, Sequence):
        arguments = get_args(annotation)
        return arguments[0] if arguments else Any
    return Any if annotation in (list, tuple) else None


def name_of(annotation: Any) -> str:
    """Return a type's name as people know it: `Cloud`, `list of Server`, `text`."""
    annotation = bare(annotation)
    item = item_type(annotation)
    if item is not None:
        return f"list of {name_of(item)}"
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(name_of(option) for option in get_args(annotation) if option is not type(None))
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, get_args(annotation)))
    return {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "Path": "path",
    }.get(getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", str(annotation)))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_index(key: str | int) -> bool:
    return isinstance(key, int) or key.lstrip("-").isdigit()
