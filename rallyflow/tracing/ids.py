"""The ids of a run's trace and of its spans: made from what they are of, so that every process finds the same ones."""

from __future__ import annotations

import hashlib


def trace_id(run: str) -> int:
    """Return the id of a run's trace."""
    return _digest(16, "run", run)


def session_span_id(run: str, session: int) -> int:
    """Return the id of the span of a session, counted from 1."""
    return _digest(8, "session", run, session)


def attempt_span_id(run: str, step: str, attempt: int) -> int:
    """Return the id of the span of an attempt."""
    return _digest(8, "attempt", run, step, attempt)


def traceparent(run: str, step: str, attempt: int) -> str:
    """Return what tells a program which span it runs in, as W3C Trace Context has it."""
    return f"00-{trace_id(run):032x}-{attempt_span_id(run, step, attempt):016x}-01"


def _digest(size: int, *parts: object) -> int:
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big")
