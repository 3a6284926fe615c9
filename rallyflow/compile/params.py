"""Parameters: their little type language, and where their values come from."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from rallyflow.compile.diagnostics import Diagnostics
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid
from rallyflow.hints import did_you_mean
from rallyflow.model.workflow import Param
from rallyflow.units import parse_duration, parse_percent, parse_rate, parse_size

ENVIRONMENT_PREFIX = "RALLYFLOW_PARAM_"
_TYPE = re.compile(r"(list|map)\((.+)\)")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+", value.strip()):
        return int(value)
    raise ValueError(f"{value!r} is not a whole number")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - every converter raises ValueError
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise ValueError(f"{value!r} is not true or false")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is not a text; quote it")


SCALARS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "duration": parse_duration,
    "size": parse_size,
    "rate": parse_rate,
    "percent": parse_percent,
    "enum": lambda value: value,
}
"""The scalar types of params, with the function that reads a value of each."""


def check_spec(name: str, spec: Param, errors: Diagnostics) -> bool:
    """Note what is wrong with a param's declaration; returns whether it is good."""
    before = len(errors.found)
    path = ("params", name)
    inner = spec.type
    while match := _TYPE.fullmatch(inner):
        inner = match[2]
    if inner not in SCALARS:
        errors.value(
            (*path, "type"),
            "RF0301",
            f"there is no type {inner!r}",
            did_you_mean(inner, [*SCALARS, "list(int)", "map(str)"]),
        )
    if "enum" in spec.type and not spec.choices:
        errors.value((*path, "type"), "RF0301", "an enum needs choices", "add choices: [a, b]")
    if spec.pattern is not None:
        try:
            re.compile(spec.pattern)
        except re.error as error:
            errors.value((*path, "pattern"), "RF0301", f"not a regular expression: {error}")
    return len(errors.found) == before


def read_value(spec: Param, value: Any) -> Any:
    """Return a value as the param's type and within its bounds; ValueError says what is wrong."""
    return _read(spec, spec.type, value)


def _read(spec: Param, kind: str, value: Any) -> Any:
    match = _TYPE.fullmatch(kind)
    if match and match[1] == "list":
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list")
        return [_read(spec, match[2], item) for item in value]
    if match:
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is not a map")
        return {key: _read(spec, match[2], item) for key, item in value.items()}
    result = SCALARS[kind](value)
    _check_bounds(spec, result)
    return result


def _check_bounds(spec: Param, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if spec.min is not None and number and value < spec.min:
        raise ValueError(f"{value} is smaller than {spec.min:g}")
    if spec.max is not None and number and value > spec.max:
        raise ValueError(f"{value} is larger than {spec.max:g}")
    if spec.choices is not None and value not in spec.choices:
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, spec.choices))}")
    if spec.pattern is not None and isinstance(value, str) and not re.fullmatch(spec.pattern, value):
        raise ValueError(f"{value!r} does not match {spec.pattern}")


def resolve_params(
    specs: Mapping[str, Param],
    given: Mapping[str, Any],
    errors: Diagnostics,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return every param's value: given ones first, then the environment, then the default; errors are noted.

    Given values that are texts come from the command line and are read as YAML where the type is not a text.
    """
    environment = os.environ if environment is None else environment
    for name in given:
        if name not in specs:
            errors.key(
                ("params",),
                "RF0302",
                f"there is no param {name!r}",
                did_you_mean(name, specs, "the params are: {}"),
            )
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if not check_spec(name, spec, errors):
            continue
        raw, origin = _pick(name, spec, given, environment)
        if raw is None:
            errors.key(
                ("params", name),
                "RF0303",
                f"the param {name!r} has no value",
                f"give one with -p {name}=…, or a default",
            )
            continue
        try:
            values[name] = read_value(spec, _from_text(raw, spec) if origin else raw)
        except ValueError as error:
            place = ("params", name) if origin else ("params", name, "default")
            errors.value(place, "RF0304", f"the param {name!r}{origin}: {error}", f"its type is {spec.type}")
    return values


def _pick(name: str, spec: Param, given: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Any, str]:
    if name in given:
        return given[name], " as given"
    variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
    if variable in environment:
        return environment[variable], f" from {variable}"
    return spec.default, ""


def _from_text(raw: Any, spec: Param) -> Any:
    if not isinstance(raw, str) or spec.type == "str":
        return raw
    if spec.type == "enum":
        return next((choice for choice in spec.choices or () if str(choice) == raw), raw)
    if spec.type in SCALARS:
        return raw
    match = _TYPE.fullmatch(spec.type)
    if match and match[1] == "list" and match[2] in SCALARS and not raw.lstrip().startswith("["):
        # `-p words=a,b`: texts, which the type of an item reads
        return [item.strip() for item in raw.split(",")] if raw.strip() else []
    try:
        return read_text(raw.encode(errors="replace"), "")[0]
    except WorkflowInvalid as error:
        raise ValueError(f"can't read {raw!r}: {error.diagnostics[0].what}") from None
