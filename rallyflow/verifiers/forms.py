"""The forms in which files give values to verifiers: times with units, and one of a list alone."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from rallyflow.units import parse_duration

T = TypeVar("T")


def _seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0), BeforeValidator(_seconds)]
"""Seconds, or a text such as `20m`."""
Listed = Annotated[tuple[T, ...], BeforeValidator(_listed)]
"""A list, or the only thing in it."""
