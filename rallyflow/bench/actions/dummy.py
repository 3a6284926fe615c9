"""Actions that need no cloud: for trying out, for tests, and for measuring what the engine itself costs."""

from __future__ import annotations

import random
import time

from rallyflow.bench.actions.actor import Actor
from rallyflow.bench.actions.registry import action
from rallyflow.errors import StepError


@action("dummy.nothing")
def nothing(actor: Actor) -> None:
    """Do nothing."""


@action("dummy.sleep")
def sleep(actor: Actor, *, seconds: float = 0.0) -> None:
    """Take a number of seconds."""
    del actor
    time.sleep(seconds)


@action("dummy.fail")
def fail(actor: Actor, *, rate: float = 1.0, message: str = "failed on purpose") -> None:
    """Fail in a fraction `rate` of the calls, drawn at random."""
    del actor
    if random.random() < rate:  # noqa: S311 - no secret depends on it
        raise StepError(message)
