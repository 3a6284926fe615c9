"""The values of params: the little language of their types, and what is within a param's bounds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rallyflow.model import values
from rallyflow.model.workflow import Param
from rallyflow.units import parse_duration, parse_percent, parse_rate, parse_size

_LONGEST = 80
_TYPE = re.compile(r"(list|map)\((.+)\)")


def shown(value: Any) -> str:
    """Return a value as a person writes it, on one short line."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,400}", value.strip()):
        return int(value)
    raise ValueError(f"{shown(value)} is not a whole number")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{shown(value)} is not a number")  # noqa: TRY004 - every reader raises ValueError
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a finite number")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise ValueError(f"{shown(value)} is not true or false")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    quote = isinstance(value, int | float)  # true and false among them
    raise ValueError(f"{shown(value)} is not a text" + "; quote it" * quote)


def _any(value: Any) -> Any:
    return value  # choices say what is good


SCALARS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "duration": parse_duration,
    "size": parse_size,
    "rate": parse_rate,
    "percent": parse_percent,
    "enum": _any,
}
"""The scalar types of params, with the function that reads a value of each."""

NUMERIC = ("int", "float", "duration", "size", "rate", "percent")
"""The scalar types that have bounds."""

VALUES: dict[str, TypeAdapter[Any]] = {
    "Server": TypeAdapter(values.Server),
    "Servers": TypeAdapter(values.Servers),
    "Cloud": TypeAdapter(values.Cloud),
    "Verification": TypeAdapter(values.Verification),
    "BenchmarkResults": TypeAdapter(values.BenchmarkResults),
}
"""The values of steps that a workflow can take as params from one that uses it."""


def innermost(kind: str) -> str:
    """Return the type inside of all `list(…)` and `map(…)` around it."""
    while match := _TYPE.fullmatch(kind):
        kind = match[2]
    return kind


def inside(kind: str) -> tuple[str, str]:
    """Return `list` or `map` and the type inside of it; two empty texts for a type that is neither."""
    match = _TYPE.fullmatch(kind)
    return (match[1], match[2]) if match else ("", "")


_ANNOTATIONS: dict[str, Any] = {
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


def annotation_of(kind: str) -> Any:
    """Return the Python type of the values of a param's type, such as `list(int)`; Any for an enum."""
    container, inner = inside(kind)
    if container == "list":
        return list[annotation_of(inner)]  # type: ignore[misc]
    return dict[str, annotation_of(inner)] if container else _ANNOTATIONS.get(kind, Any)  # type: ignore[misc]


def read_value(spec: Param, value: Any) -> Any:
    """Return a value as the param's type and within its bounds; ValueError says what is wrong."""
    return _read(spec, spec.type, value)


def read_bound(spec: Param, bound: float | str | None) -> float | None:
    """Return a bound in the unit of the param's type; ValueError when it is none."""
    if bound is None:
        return None
    read = SCALARS.get(innermost(spec.type)) or _number
    number = read(bound)
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else _number(bound)


def _read(spec: Param, kind: str, value: Any) -> Any:
    container, inner = inside(kind)
    if container == "list":
        if not isinstance(value, list | tuple):
            raise ValueError(f"{shown(value)} is not a list")
        return [_read(spec, inner, item) for item in value]
    if container:
        if not isinstance(value, dict):
            raise ValueError(f"{shown(value)} is not a map")
        return {key: _read(spec, inner, item) for key, item in value.items()}
    if kind in VALUES:
        return _read_step_value(kind, value)
    result = SCALARS[kind](value)
    _check_bounds(spec, kind, result, shown(value))
    return result


def _read_step_value(kind: str, value: Any) -> Any:
    """Return a value of a step as plain data, once it has been found to be one."""
    try:
        return VALUES[kind].dump_python(VALUES[kind].validate_python(value), mode="json")
    except ValidationError as error:
        raise ValueError(f"not a {kind}: {_first_of(error)}") from None


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"]).lstrip(".")
    match first["type"]:
        case "missing":
            return f"the key {place!r} is missing"
        case "extra_forbidden":
            return f"unknown key {place!r}"
        case "model_type" | "dict_type" | "list_type":
            return f"{place + ' is ' if place else ''}{shown(first['input'])}"
    message = first["msg"].removeprefix("Value error, ").replace("Input should be a valid", "takes a")
    return f"{place}: {message.replace('Input should', 'must')}" if place else message


def _check_bounds(spec: Param, kind: str, value: Any, written: str) -> None:
    """Refuse a value that is not allowed; `written` is how the file has it, with its unit."""
    bare = written.strip("'")
    if kind in NUMERIC:
        smallest, largest = read_bound(spec, spec.min), read_bound(spec, spec.max)
        if smallest is not None and value < smallest:
            raise ValueError(f"{bare} is smaller than {bound_text(spec.min)}")
        if largest is not None and value > largest:
            raise ValueError(f"{bare} is larger than {bound_text(spec.max)}")
    if spec.choices is not None and value not in map(SCALARS[kind], spec.choices):
        raise ValueError(f"{written} is not one of {', '.join(map(str, spec.choices))}")
    if spec.pattern is not None and isinstance(value, str) and not re.fullmatch(spec.pattern, value):
        raise ValueError(f"{value!r} does not match {spec.pattern}")


def bound_text(bound: float | str | None) -> str:
    """Return a bound as the file has it."""
    return f"{bound:g}" if isinstance(bound, int | float) else str(bound)
