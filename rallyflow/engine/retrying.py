"""How long to wait before the next attempt: tenacity's strategies, asked for one delay at a time.

The attempts are separate processes with journalled outcomes, perhaps in different sessions of the run; so tenacity
computes the delay, and the core of the engine decides whether there is a next attempt.
"""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

from rallyflow.model.retry import RetryPolicy


def delay_before_next(policy: RetryPolicy, failed_attempt: int) -> float:
    """Return seconds to wait after the attempt with this number (from 1) has failed."""
    delay = shortest_delay(policy, failed_attempt)
    jitter = float(wait_random(0, delay / 2)(_after(failed_attempt))) if policy.jitter else 0.0
    return min(delay + jitter, policy.max_delay)


def shortest_delay(policy: RetryPolicy, failed_attempt: int) -> float:
    """Return the same without what chance may add."""
    wait = wait_exponential(multiplier=policy.delay, exp_base=policy.factor, max=policy.max_delay)
    return float(wait(_after(failed_attempt)))


def _after(failed_attempt: int) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failed_attempt
    return state
