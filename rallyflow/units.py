"""Durations, sizes, rates and percentages as people write them: `1h30m`, `4GiB`, `50/s`, `2.5%`.

Inside rallyflow a duration is a float of seconds, a size an int of bytes, a rate a float per second, and a
percentage a float fraction (0.025). The annotated types read either form in a pydantic model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}
_PER = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_HUGE = 1e18
_LONGEST = 36525 * 86400.0  # seconds; beyond, waiting is more than the machine can count
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|m|h)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_duration(value: object) -> float:
    """Return seconds of `1h30m`, `200ms` or a plain number of seconds; ValueError for anything else."""
    if _is_number(value):
        return _sensible(float(value))  # type: ignore[arg-type]
    text = value.strip() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{_written(value)} is not a duration such as 500ms, 90s, 5m or 1h30m")
    return _sensible(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))


def _sensible(seconds: float) -> float:
    if seconds > _LONGEST:
        raise ValueError("the duration is longer than a hundred years")
    return seconds


def parse_size(value: object) -> int:
    """Return bytes of `4GiB`, `500MB` or a plain number of bytes; ValueError for anything else."""
    if _is_number(value):
        return int(value)  # type: ignore[call-overload, no-any-return]
    match = _SIZE.fullmatch(str(value).strip())
    if not match or match[2] not in _BYTES:
        raise ValueError(f"{_written(value)} is not a size such as 512MiB or 4GiB")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_rate(value: object) -> float:
    """Return events per second of `50/s`, `30/min` or a plain number; ValueError for anything else."""
    if _is_number(value):
        return float(value)  # type: ignore[arg-type]
    match = _RATE.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{_written(value)} is not a rate such as 50/s or 30/min")
    return float(match[1]) / _PER[match[2]]


def parse_percent(value: object) -> float:
    """Return the fraction of `2.5%` (0.025), or of a plain number between 0 and 1."""
    if _is_number(value):
        fraction = float(value)  # type: ignore[arg-type]
        if 0 <= fraction <= 1:
            return fraction
        raise ValueError(f"{value!r} is not a percentage; write {value}% or a fraction between 0 and 1")
    match = _PERCENT.fullmatch(str(value).strip())
    if not match or float(match[1]) > 100:
        raise ValueError(f"{_written(value)} is not a percentage such as 1% or 0.5%")
    return float(match[1]) / 100


def format_duration(seconds: float) -> str:
    """Return a short text for people: `840 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def format_bytes(count: float) -> str:
    """Return a size as people write it: 512 B, 3.4 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def _written(value: object) -> str:
    """Return a value that is none of these as a person writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    return repr(value) if isinstance(value, str) else "a list" if isinstance(value, list | tuple) else str(value)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    if not -_HUGE < value < _HUGE:  # also infinity and what is not a number
        raise ValueError(
            f"{value:.6g} is not a sensible number" if isinstance(value, float) else "the number is too large"
        )
    return True


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}],
            "examples": [example],
        }
    )


_EXPRESSION = r"^\$\{\{.*\}\}$"

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0),
    _schema(rf"^({_DURATION.pattern})$|{_EXPRESSION}", "1h30m"),
]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0), _schema(rf"^({_SIZE.pattern})$|{_EXPRESSION}", "4GiB")]
Rate = Annotated[
    float, BeforeValidator(parse_rate), Field(ge=0), _schema(rf"^({_RATE.pattern})$|{_EXPRESSION}", "50/s")
]
Percent = Annotated[
    float,
    BeforeValidator(parse_percent),
    Field(ge=0, le=1),
    _schema(rf"^({_PERCENT.pattern})$|{_EXPRESSION}", "1%"),
]
