"""Host keys: read as people write them, and shown as ssh-keygen does."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rallyflow.errors import HostKeyMismatch, PermanentError

if TYPE_CHECKING:
    from paramiko import PKey

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[\w@.-]+)\s+(AAAA[A-Za-z0-9+/]+={0,2})(?:\s|$)")


def is_fingerprint(text: str) -> bool:
    """Whether a text is a fingerprint as `ssh-keygen -l` prints it: `SHA256:` and 43 characters."""
    return _FINGERPRINT.fullmatch(text.strip()) is not None


def is_key(text: str) -> bool:
    """Whether a text has the form of a public key: a line of known_hosts, or of a `.pub` file."""
    return _KEY.search(text) is not None


def read_key(text: str) -> PKey:
    """Return the key of a line of known_hosts or of a `.pub` file; PermanentError when it is none."""
    from paramiko import PKey, SSHException
    from paramiko.pkey import UnknownKeyType

    match = _KEY.search(text)
    try:
        if match is not None:
            return PKey.from_type_string(match[1], base64.b64decode(match[2]))
    except (SSHException, UnknownKeyType, ValueError, IndexError, OverflowError):
        pass
    raise PermanentError(
        f"not a host key: {text[:60]!r}",
        hint="a line as in /etc/ssh/ssh_host_ed25519_key.pub or known_hosts, or a fingerprint such as SHA256:…",
    )


def fingerprint(key: PKey) -> str:
    """Return a key's type and fingerprint, as `ssh-keygen -l` shows it."""
    return f"{key.get_name()} {key.fingerprint}"


def mismatch(whose: str, wanted: Sequence[str], shown: Sequence[PKey]) -> HostKeyMismatch:
    """Return the error that says both what was wanted and what was shown."""
    return HostKeyMismatch(
        f"{whose}: wrong host key: known is {' or '.join(wanted)}, shown is {', '.join(map(fingerprint, shown))}",
        hint="it was installed anew, its address belongs to another machine now, or somebody is in between; "
        "find out which before you change `host_key:` or known_hosts",
    )
