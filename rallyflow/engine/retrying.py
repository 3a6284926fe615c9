"""How long to wait before the next attempt: tenacity's strategies, asked for one delay at a time.

The attempts are separate processes with journalled outcomes, perhaps in different sessions of the run; so tenacity
computes the delay, and the core of the engine decides whether there is a next attempt.
"""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

from rallyflow.model.retry import RetryPolicy


def delay_before_next(policy: RetryPolicy, failed_attempt: int) -> float:
    """Return seconds to wait after the attempt with this number (from 1) has failed."""
    wait = wait_exponential(multiplier=policy.delay, exp_base=policy.factor, max=policy.max_delay)
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failed_attempt
    delay = float(wait(state))
    jitter = float(wait_random(0, delay / 2)(state)) if policy.jitter else 0.0
    return min(delay + jitter, policy.max_delay)
