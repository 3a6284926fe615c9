"""Times and ids as OpenStack writes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta


def now() -> str:
    """Return the time to the second: `2026-11-22T16:05:01Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precisely(*, ahead: float = 0.0) -> str:
    """Return the time to the microsecond, `ahead` seconds from now: `2026-11-22T16:05:01.123456Z`."""
    return (datetime.now(UTC) + timedelta(seconds=ahead)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_id() -> str:
    """Return a UUID as most services write it."""
    return str(uuid.uuid4())


def new_hex() -> str:
    """Return a UUID as keystone writes it."""
    return uuid.uuid4().hex
