"""Keys that are made for one step: the one that logs in to its containers, and each container's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rallyflow.servers.private import write_private

LOGIN = "id_ed25519"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An ed25519 key, as OpenSSH writes it."""

    private: str
    public: str  # without a comment


def make() -> KeyPair:
    """Return a new key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode())


def login_key(folder: Path) -> KeyPair:
    """Return the login key of a step, which is made when it is first asked for; in a file that only we can read."""
    file = folder / LOGIN
    known = read_login_key(folder)
    if known is not None:
        return known
    pair = make()
    write_private(folder / f"{LOGIN}.pub", f"{pair.public}\n")
    write_private(file, pair.private)
    return pair


def read_login_key(folder: Path) -> KeyPair | None:
    """Return the login key of a step; None when it is not there as a whole."""
    try:
        private = (folder / LOGIN).read_text(encoding="ascii")
        public = (folder / f"{LOGIN}.pub").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    return KeyPair(private, public)
