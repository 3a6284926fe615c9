"""What a look at a machine has found: one check each, with what to do where it is not well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"  # works, but may surprise
    FAIL = "fail"  # does not work


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: Health
    text: str
    hint: str = ""
