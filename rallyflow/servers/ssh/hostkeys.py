"""Host keys: read as people write them, kept in a known_hosts of the run, compared with what a server shows."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rallyflow.errors import HostKeyMismatch, HostKeyUnknown, PermanentError
from rallyflow.model.values import Hop
from rallyflow.servers.ssh.places import entry_name

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
    except (SSHException, UnknownKeyType, ValueError, IndexError, binascii.Error):
        pass
    raise PermanentError(
        f"not a host key: {text[:60]!r}",
        hint="a line as in /etc/ssh/ssh_host_ed25519_key.pub or known_hosts, or a fingerprint such as SHA256:…",
    )


def fingerprint(key: PKey) -> str:
    """Return a key's type and fingerprint, as `ssh-keygen -l` shows it."""
    return f"{key.get_name()} {key.fingerprint}"


def known_keys(file: Path | None, place: Hop) -> Mapping[str, PKey]:
    """Return the keys that a known_hosts file has for a place, by type; PermanentError when it can't be read."""
    from paramiko import HostKeys

    if file is None:
        return {}
    try:
        book = HostKeys(str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(f"the host keys in {file} can't be read: {error}") from error
    return {kind: key for kind, key in (book.lookup(entry_name(place)) or {}).items() if key is not None}


def compare(known: Mapping[str, PKey], shown: PKey, whose: str) -> None:
    """Return when a shown key is a known one; HostKeyUnknown when none is known, else HostKeyMismatch."""
    if known.get(shown.get_name()) == shown:
        return
    if not known:
        raise HostKeyUnknown(
            f"{whose}: its host key is not known; it shows {fingerprint(shown)}",
            hint="compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the server's own console, "
            "then write it as `host_key:`",
        )
    raise mismatch(whose, [fingerprint(key) for key in known.values()], [shown])


def mismatch(whose: str, wanted: Sequence[str], shown: Sequence[PKey]) -> HostKeyMismatch:
    """Return the error that says both what was wanted and what was shown."""
    return HostKeyMismatch(
        f"{whose}: wrong host key: known is {' or '.join(wanted)}, shown is {', '.join(map(fingerprint, shown))}",
        hint="it was installed anew, its address belongs to another machine now, or somebody is in between; "
        "find out which before you change `host_key:` or known_hosts",
    )
