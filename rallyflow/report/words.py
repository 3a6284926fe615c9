"""How figures read: three digits that matter, units that fit, values of a matrix as in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rallyflow.units import format_duration


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of time: `factor` of it make a second."""

    name: str
    factor: float

    def show(self, seconds: float | None) -> str:
        """Return the duration as a number in this unit, a dash for none."""
        return "-" if seconds is None else digits(seconds * self.factor)

    def spell(self, seconds: float) -> str:
        """Return the duration with its unit."""
        return f"{digits(seconds * self.factor)} {self.name}"


SECONDS = Unit("s", 1.0)
MILLISECONDS = Unit("ms", 1e3)
MICROSECONDS = Unit("µs", 1e6)


def unit_for(seconds: float | None) -> Unit:
    """Return the unit in which a typical duration reads best."""
    if seconds is None or seconds >= 1:
        return SECONDS
    return MILLISECONDS if seconds >= 1e-3 else MICROSECONDS


def spell(seconds: float) -> str:
    """Return a duration with the unit that fits: `1.40 ms`, `12.3 s`."""
    return unit_for(abs(seconds)).spell(seconds)


def duration(seconds: float | None) -> str:
    """Return how long something took, as people say it: `840 ms`, `4 min 05 s`; a dash for none."""
    return "-" if seconds is None else format_duration(seconds)


def digits(value: float) -> str:
    """Return a number with about three digits that matter: `0.012`, `1.40`, `25.2`, `12 345`."""
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}".replace(",", "\u202f")


def count(value: int) -> str:
    """Return a count with thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float | None) -> str:
    """Return a share as a percentage that is only then 0 or 100 when it is exactly; a dash for none."""
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{share:.0%}"
    text = f"{min(max(share * 100, 0.01), 99.99):.2f}".rstrip("0").rstrip(".")
    return f"{text}%"


def plural(number: int, one: str, many: str = "") -> str:
    """Return `1 step` or `3 steps`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def plain(value: Any) -> str:
    """Return a value as the workflow file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    return "-" if value is None else str(value)


def moment(nanoseconds: int) -> str:
    """Return a time as `2026-11-22 16:05:01 UTC`, a dash for none."""
    return f"{datetime.fromtimestamp(nanoseconds / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC" if nanoseconds else "-"


def axes(matrix: Mapping[str, Any]) -> str:
    """Return the values of a cell: `users = 5, fast_rpc = true`."""
    return ", ".join(f"{name} = {plain(value)}" for name, value in matrix.items())
