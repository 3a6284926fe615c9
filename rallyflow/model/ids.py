"""Identifiers, as types of their own so that they can't be mixed up."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import NewType

RunId = NewType("RunId", str)
"""A run, such as `20261122-160501-k3f9`: sorts by time, unique by its last part."""

StepId = NewType("StepId", str)
"""A step of a plan: `boot`, or one cell of a matrix step: `boot[users=5,fast_rpc=true]`."""

_LONGEST_NAME = 200  # bytes; file systems take some 255
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


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
