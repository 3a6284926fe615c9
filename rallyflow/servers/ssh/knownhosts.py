"""known_hosts files: what they know of a place, compared with what it shows.

What can't be read or used there is passed over, as ssh does: comments, keys of authorities, of old kinds, broken ones.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rallyflow.errors import HostKeyMismatch, HostKeyUnknown, PermanentError
from rallyflow.model.values import Hop
from rallyflow.servers.ssh.hostkeys import fingerprint, mismatch, read_key
from rallyflow.servers.ssh.places import entry_name

if TYPE_CHECKING:
    from paramiko import PKey

REVOKED = "@revoked"
_HASHED = "|1|"


@dataclass(frozen=True, slots=True)
class Known:
    """The keys of a place by type, none of them revoked, and those that are."""

    keys: Mapping[str, PKey]
    revoked: tuple[PKey, ...] = ()


def known_keys(file: Path | None, place: Hop) -> Known:
    """Return what a known_hosts file knows of a place; PermanentError when it can't be read."""
    if file is None:
        return Known({})
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise PermanentError(f"the host keys in {file} can't be read: {error}") from error
    found = [entry for line in lines for entry in _entry(line, entry_name(place))]
    revoked = tuple(key for marker, key in found if marker == REVOKED)
    keys: dict[str, PKey] = {}
    for marker, key in found:
        if not marker and key not in revoked:
            keys.setdefault(key.get_name(), key)
    return Known(keys, revoked)


def compare(known: Known, shown: PKey, whose: str) -> None:
    """Return when a shown key is a known one; HostKeyUnknown when none is known, else HostKeyMismatch."""
    if shown in known.revoked:
        raise HostKeyMismatch(
            f"{whose}: its host key is revoked in known_hosts; it shows {fingerprint(shown)}",
            hint="who else has that key can pose as the server: give it a new one",
        )
    if known.keys.get(shown.get_name()) == shown:
        return
    if not known.keys:
        raise HostKeyUnknown(
            f"{whose}: its host key is not known; it shows {fingerprint(shown)}",
            hint="compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the server's own console, "
            "then write it as `host_key:`",
        )
    raise mismatch(whose, [fingerprint(key) for key in known.keys.values()], [shown])


def _entry(line: str, name: str) -> Iterator[tuple[str, PKey]]:
    """Yield the marker and the key of a line that speaks of a name, and can be read."""
    first, *rest = line.split() or [""]
    marker, names, *key = (first, *rest, "") if first.startswith("@") else ("", first, *rest)
    if marker in ("", REVOKED) and _means(names, name):
        with suppress(PermanentError):
            yield marker, read_key(" ".join(key))


def _means(names: str, name: str) -> bool:
    """Whether a list of names, patterns or a hash means a name; a pattern after `!` rules it out."""
    patterns = names.split(",")
    ruled_out = any(_fits(pattern[1:], name) for pattern in patterns if pattern.startswith("!"))
    return not ruled_out and any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith(_HASHED):
        return _is_hash_of(pattern, name)
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (b64decode(part) for part in hashed.removeprefix(_HASHED).split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
