"""What type a place in a pydantic model has, and whether a value of one type may go where another is wanted."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    PlainValidator,
    RootModel,
    SecretStr,
    TypeAdapter,
    ValidationError,
    WrapValidator,
)
from pydantic.fields import FieldInfo

from rallyflow.model import values

NONE = type(None)
_VALIDATORS = (BeforeValidator, PlainValidator, WrapValidator)
_PARAM = re.compile(r"(list|map)\((.+)\)")
_PARAMS: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "duration": float,
    "size": int,
    "rate": float,
    "percent": float,
    "Server": values.Server,
    "Servers": values.Servers,
    "Cloud": values.Cloud,
    "Verification": values.Verification,
    "BenchmarkResults": values.BenchmarkResults,
}


_TEXTS = (str, bytes, PurePath, SecretStr)
_SCALARS = (*_TEXTS, int, float, bool, Enum, date, time, timedelta, Decimal, UUID)


@dataclass(frozen=True, slots=True)
class SameKind:
    """In Annotated: the validators beside it read texts and numbers, but make no list or mapping of anything else."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """The type of a field of a matrix step: a list over its cells."""

    item: Any


def from_param(kind: str) -> Any:
    """Return the type of the values of a param that is declared as `kind`, such as `list(int)`; Any for an enum."""
    match = _PARAM.fullmatch(kind)
    if match is None:
        return _PARAMS.get(kind, Any)
    inner = from_param(match[2])
    return list[inner] if match[1] == "list" else dict[str, inner]  # type: ignore[valid-type]


def at(annotation: Any, path: Sequence[str | int]) -> Any | None:
    """Return the type at a path below a type; Any where nothing is known, None where there is no such place."""
    if not path:
        return annotation
    annotation = bare(annotation)
    if annotation is Any:
        return annotation
    if is_union(annotation):
        found = [at(option, path) for option in get_args(annotation) if option is not NONE]
        return next((option for option in found if option is not None), None)
    inner = _inside(annotation, path[0])
    return at(inner, path[1:]) if inner is not None else None


def _inside(annotation: Any, key: str | int) -> Any | None:
    """Return the type of one key or item of a type; None where it has none such."""
    if is_model(annotation):
        return fields_of(annotation).get(str(key))
    item = item_type(annotation)
    if item is not None:
        return item if _is_index(key) else None
    return value_type(annotation) if is_mapping(annotation) else None


def fields_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a model by the names that a file uses, with their types and what reads them."""
    found = {field.alias or name: _annotation(model, name, field) for name, field in model.model_fields.items()}
    return found | {field.alias or name: field.return_type for name, field in model.model_computed_fields.items()}


def _annotation(model: type[BaseModel], name: str, field: FieldInfo) -> Any:
    """Return a field's type with the validators that pydantic keeps apart from it."""
    marks = [mark for mark in field.metadata if isinstance(mark, (*_VALIDATORS, SameKind))]
    readers = model.__pydantic_decorators__.field_validators.values()
    if any({name, "*"} & {*reader.info.fields} and reader.info.mode != "after" for reader in readers):
        marks.append(BeforeValidator(lambda value: value))
    found: Any = field.annotation
    for mark in marks:
        found = Annotated[found, mark]
    return found


def bare(annotation: Any) -> Any:
    """Return a type without Annotated, NewType, alias or RootModel around it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, type) and issubclass(annotation, RootModel):
            annotation = annotation.model_fields["root"].annotation
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def item_type(annotation: Any) -> Any | None:
    """Return the type of the items of a list type; None for anything else."""
    if isinstance(annotation, ListOf):
        return annotation.item
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if not isinstance(origin, type) or not issubclass(origin, list | tuple | set | frozenset | Sequence):
        return None
    if issubclass(origin, str | bytes):
        return None
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return one_of(arguments)
    return arguments[0] if arguments else Any


def one_of(options: Iterable[Any]) -> Any:
    """Return the type of a value that has one of several types; Any when one of them is not known."""
    found = tuple(options)
    return Any if any(option in _UNKNOWN for option in found) or not found else Union[found]  # noqa: UP007


def value_type(annotation: Any) -> Any:
    """Return the type of the values of a mapping type."""
    arguments = get_args(annotation)
    return arguments[1] if len(arguments) == 2 else Any


def fits(have: Any, want: Any) -> bool:
    """Whether a value of type `have` may go where `want` is, as pydantic reads the JSON data of it.

    True whenever that depends on the value, or can't be known here.
    """
    reader, have, want = _reader(want), bare(have), bare(want)
    if have in _UNKNOWN or want in _UNKNOWN:
        return True
    if is_union(have):
        options = [option for option in get_args(have) if option is not NONE]
        return any(fits(option, Annotated[want, reader] if reader else want) for option in options)
    if is_union(want):
        return any(fits(have, option) for option in get_args(want))
    if have is NONE or want is NONE:
        return have is want
    if reader and is_scalar(have):
        return is_scalar(want) or not isinstance(reader, SameKind)
    return _FITS[_shape(want)](have, want)


_UNKNOWN = (Any, object, None)


def _reader(want: Any) -> Any:
    """Return what reads values before the type itself does; None when nothing does."""
    marks = [mark for mark in getattr(want, "__metadata__", ()) if isinstance(mark, (*_VALIDATORS, SameKind))]
    return next((mark for mark in marks if isinstance(mark, SameKind)), marks[0] if marks else None)


def _shape(annotation: Any) -> str:
    if item_type(annotation) is not None:
        return "list"
    if is_model(annotation):
        return "model"
    if is_mapping(annotation) or is_dataclass(annotation):
        return "mapping"
    return "scalar" if is_scalar(annotation) else "unknown"


def is_scalar(annotation: Any) -> bool:
    """Whether the JSON data of a type is one text, number, or true or false."""
    return get_origin(annotation) is Literal or (isinstance(annotation, type) and issubclass(annotation, _SCALARS))


def _fits_list(have: Any, want: Any) -> bool:
    have_item = item_type(have)
    if have_item is None:
        return _shape(have) == "unknown"
    if not is_fixed(want):
        return fits(have_item, item_type(want))
    wanted = get_args(want)
    given = get_args(have) if is_fixed(have) else (have_item,) * len(wanted)
    return len(given) == len(wanted) and all(map(fits, given, wanted))


def is_fixed(annotation: Any) -> bool:
    """Whether a type is a tuple of known length, with a type for each place."""
    return get_origin(annotation) is tuple and get_args(annotation)[-1:] != (Ellipsis,)


def _fits_model(have: Any, want: Any) -> bool:
    if any(found.info.mode != "after" for found in want.__pydantic_decorators__.model_validators.values()):
        return True  # it may read anything, as a short form of itself
    shape = _shape(have)
    return issubclass(have, want) if shape == "model" else shape in ("mapping", "unknown")


def _fits_mapping(have: Any, want: Any) -> bool:
    shape = _shape(have)
    return fits(value_type(have), value_type(want)) if shape == "mapping" else shape in ("model", "unknown")


def _fits_scalar(have: Any, want: Any) -> bool:
    if _shape(have) != "scalar":
        return _shape(have) == "unknown"
    if get_origin(have) is Literal:
        return any(_reads(want, value) for value in get_args(have))
    kinds = json_kinds(have)
    if get_origin(want) is Literal or issubclass(want, Enum):
        return any((kind is str) == (wanted is str) for kind in kinds for wanted in json_kinds(want))
    return str in kinds or not issubclass(want, _TEXTS)


_FITS: dict[str, Callable[[Any, Any], bool]] = {
    "list": _fits_list,
    "model": _fits_model,
    "mapping": _fits_mapping,
    "scalar": _fits_scalar,
    "unknown": lambda _have, _want: True,
}


@lru_cache(maxsize=1024)
def _adapter(want: Any) -> TypeAdapter[Any]:
    return TypeAdapter(want)


def _reads(want: Any, value: Any) -> bool:
    try:
        _adapter(want).validate_python(value)
    except ValidationError:
        return False
    return True


def json_kinds(annotation: Any) -> list[type]:
    """Return what the JSON data of a scalar type may be: str, int, float, bool."""
    if get_origin(annotation) is Literal:
        return [*dict.fromkeys(type(value) for value in get_args(annotation))]
    if issubclass(annotation, Enum):
        return [*dict.fromkeys(type(member.value) for member in annotation)]
    return [next((kind for kind in (bool, int, float) if issubclass(annotation, kind)), str)]


def name_of(annotation: Any) -> str:
    """Return a type's name as people know it: `Cloud`, `list of Server`, `text`."""
    annotation = bare(annotation)
    item = item_type(annotation)
    if item is not None:
        return f"list of {_PLURALS.get(name_of(item), name_of(item))}" if item is not Any else "list"
    if is_union(annotation):
        names = [name_of(option) for option in get_args(annotation) if option is not NONE]
        return " or ".join(dict.fromkeys(names)) or "null"
    if get_origin(annotation) is Literal:
        options = get_args(annotation)
        return " or ".join(map(repr, options)) if len(options) > 1 else _NAMES[type(options[0]).__name__]
    if is_mapping(annotation):
        value = value_type(annotation)
        return "map" if value is Any else f"map of {name_of(value)}"
    name = getattr(annotation, "__name__", str(annotation))
    if is_model(annotation) and name.endswith("Outputs"):
        return OUTPUTS
    return _NAMES.get(name, name)


OUTPUTS = "all outputs of a step"
"""The name of the type of what stands for a step itself."""
_PLURALS = {
    "text": "texts",
    "whole number": "whole numbers",
    "number": "numbers",
    "path": "paths",
    "value": "values",
}
_NAMES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "NoneType": "null",
    "Path": "path",
    "SecretStr": "secret text",
    "Any": "value",
    "object": "value",
}


def is_union(annotation: Any) -> bool:
    """Whether a type is one of several."""
    return get_origin(annotation) in (Union, types.UnionType)


def is_model(annotation: Any) -> bool:
    """Whether a type is a pydantic model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def is_mapping(annotation: Any) -> bool:
    """Whether a type is a mapping from keys to values that are all of one type."""
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_index(key: str | int) -> bool:
    return isinstance(key, int) or key.lstrip("-").isdigit()
