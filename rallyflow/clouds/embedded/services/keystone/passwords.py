"""Passwords are kept as salted hashes, cheap ones: the users of a simulated cloud live for minutes."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def hashed(password: str) -> str:
    """Return `salt$digest`."""
    salt = secrets.token_hex(8)
    return f"{salt}${_digest(salt, password)}"


def fits(password: str, kept: str) -> bool:
    """Whether a password is the one behind a kept hash."""
    salt, _, digest = kept.partition("$")
    return hmac.compare_digest(digest, _digest(salt, password))


def _digest(salt: str, password: str) -> str:
    return hashlib.blake2b(password.encode(), salt=bytes.fromhex(salt), digest_size=32).hexdigest()
