"""Identifiers, as types of their own so that they can't be mixed up."""

from __future__ import annotations

import calendar
import hashlib
import math
import re
import secrets
import time
from dataclasses import dataclass
from typing import NewType

RunId = NewType("RunId", str)
"""A run, such as `20261122-160501-k3f9x`: sorts by time, unique by its last part."""

StepId = NewType("StepId", str)
"""A step of a plan: `boot`, or one cell of a matrix step: `boot[users=5,fast_rpc=true]`."""

_LONGEST_NAME = 200  # bytes; file systems take some 255
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_MOST_UNITS = 99_999  # of one unit of a time-to-live in a tag: what keeps it from being taken for a key
_TAG = re.compile(
    rf"rf-([0-9]{{8}}-[0-9]{{6}}-[{_ALPHABET}]{{5}})-"  # the run
    r"(?:x([0-9]{1,5})([dhms])-)?"  # how long after its start it expires
    rf"([{_ALPHABET}]{{10}})(?![^-])"  # the step's key
)


def new_run_id() -> RunId:
    """Return an id that sorts by the second of its making and does not collide within it."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(5))
    return RunId(f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{suffix}")


def step_key(run: RunId, step: StepId) -> str:
    """Return ten characters that name what a step makes in a cloud; the same for every attempt of the step."""
    digest = hashlib.sha256(f"{run}\0{step}".encode()).digest()
    return "".join(_ALPHABET[byte % 32] for byte in digest[:10])


def step_slug(step: StepId) -> str:
    """Return a folder name for a step: readable, unique, and without the characters that globs and shells know."""
    plain = "".join(c if c.isalnum() or c in "-_." else {"[": ".", "]": "", "=": "-"}.get(c, "_") for c in step)
    if plain == step and not step.startswith(".") and len(step.encode()) <= _LONGEST_NAME:
        return plain
    readable = plain[:80].encode()[:_LONGEST_NAME].decode(errors="ignore")
    return f"{readable}.{hashlib.sha256(step.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Tag:
    """Whose an object in a cloud is: names of all that a step makes there begin with the text of its tag.

    `rf-RUN-KEY`, or `rf-RUN-x8h-KEY` when it expires eight hours after the run's start: at most 43 characters, the
    same for every attempt of the step. What follows in a name is the maker's own, after a hyphen.
    """

    run: RunId
    key: str
    expires_ns: int = 0  # since the epoch; 0 is never

    @classmethod
    def of(cls, run: RunId, key: str, time_to_live: float | None = None) -> Tag:
        """Return the tag of a step whose objects live for so many seconds, rounded up to what a tag can say."""
        if time_to_live is None:
            return cls(run, key)
        return cls(run, key, (_started(run) + _rounded(time_to_live)) * 1_000_000_000)

    def __str__(self) -> str:
        if not self.expires_ns:
            return f"rf-{self.run}-{self.key}"
        seconds = self.expires_ns // 1_000_000_000 - _started(self.run)
        unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
        return f"rf-{self.run}-x{seconds // _UNITS[unit]}{unit}-{self.key}"

    @property
    def started_ns(self) -> int:
        """When the run began, to the second, since the epoch."""
        return _started(self.run) * 1_000_000_000


def parse_tag(name: str) -> Tag | None:
    """Return the tag that a name begins with; None for the name of something that no run has made."""
    match = _TAG.match(name)
    if not match:
        return None
    run, count, unit, key = match.groups()
    try:
        expires = _started(RunId(run)) + int(count) * _UNITS[unit] if count else 0
        _started(RunId(run))
    except ValueError:
        return None
    return Tag(RunId(run), key, expires * 1_000_000_000)


def _started(run: RunId) -> int:
    """Return the second in which a run's id was made, since the epoch; ValueError when it has none."""
    return calendar.timegm(time.strptime(run[:15], "%Y%m%d-%H%M%S"))


def _rounded(seconds: float) -> int:
    """Return whole seconds of which a tag can hold the count, in the largest unit that they are whole in."""
    for size in reversed(_UNITS.values()):
        count = max(1, math.ceil(seconds / size))
        if count <= _MOST_UNITS:
            return count * size
    return _MOST_UNITS * _UNITS["d"]
