"""Explains the keys of pydantic models: of the workflow file and of step types, at any depth."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rallyflow import units
from rallyflow.compile import types
from rallyflow.explanations.topic import Key, Topic


def keys_of(model: type[BaseModel]) -> tuple[Key, ...]:
    """Return the keys of a model, in the order of its definition."""
    return tuple(
        Key(field.alias or name, type_of(field), default_of(field), field.description or "")
        for name, field in model.model_fields.items()
    )


def default_of(field: FieldInfo) -> str:
    """Return a key's default as a file would have it; empty for none, `required` where there must be a value."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, "", (), [], {}, PydanticUndefined) or isinstance(value, BaseModel):
        return ""
    return _as_written(value)


def _as_written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_as_written(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_as_written(item)}" for key, item in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def doc_of(thing: Any) -> str:
    """Return the docstring of a class of ours; empty for one that it only inherits."""
    return inspect.cleandoc(thing.__doc__ or "") if "__doc__" in vars(thing) else ""


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of: of a list, a mapping, an option."""
    annotation = types.bare(annotation)
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def inside(model: type[BaseModel], key: str) -> FieldInfo | None:
    """Return the definition of a key by the name that a file uses."""
    return next((field for name, field in model.model_fields.items() if (field.alias or name) == key), None)


def explain_key(start: str, model: type[BaseModel], path: tuple[str, ...]) -> Topic | tuple[str, tuple[str, ...]]:
    """Return the explanation of a key below a model; where there is none, how far the path leads and what is there."""
    name = start
    models: list[type[BaseModel]] = [model]
    found: FieldInfo | None = None
    for key in path:
        found = next((field for each in models if (field := inside(each, key)) is not None), None)
        if found is None:
            return name, tuple(each.name for inner in models for each in keys_of(inner))
        name = f"{name}.{key}"
        models = list(models_in(found.annotation))
    assert found is not None  # noqa: S101 - a path has at least one key
    return _topic(name, found, models)


def _topic(name: str, field: FieldInfo, models: list[type[BaseModel]]) -> Topic:
    alone = len(models) == 1
    keys = {"keys" if alone else each.__name__: keys_of(each) for each in models}
    docs = {"" if alone else each.__name__: doc_of(each) for each in models if doc_of(each)}
    facts = {"type": type_of(field), "default": default_of(field) or "none"}
    bounds = _bounds(field)
    if bounds:
        facts["bounds"] = bounds
    see = tuple(dict.fromkeys(f"{name}.{key.name}" for found in keys.values() for key in found))
    description = field.description or next(iter(docs.values()), "")
    said = description.rstrip(".")
    docs = {heading: text for heading, text in docs.items() if not text.startswith(said)}
    return Topic("key", name, description, facts, docs, keys, see=see)


def type_of(field: FieldInfo) -> str:
    """Return the type of a key as people know it: `duration`, `list of text`, `Load`."""
    return _name(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


def _name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        unit = next((_UNITS[rule.func] for rule in annotation.__metadata__ if _is_unit(rule)), "")
        return unit or _name(annotation.__origin__)
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_name(option) for option in get_args(annotation) if option is not type(None))
    return types.name_of(annotation)


def _is_unit(rule: Any) -> bool:
    return isinstance(rule, BeforeValidator) and rule.func in _UNITS


_UNITS: dict[Any, str] = {
    units.parse_duration: "duration such as 90s",
    units.parse_size: "size such as 4GiB",
    units.parse_rate: "rate such as 50/s",
    units.parse_percent: "percentage such as 1%",
}


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "length at least"}
    found = [f"{words[name]} {getattr(rule, name)}" for rule in field.metadata for name in words if hasattr(rule, name)]
    return ", ".join(found)
