"""What apt of a host says about where packages come from: read in both its formats, and what images need of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rallyflow.servers.providers.lxc.agent.host import text_of
from rallyflow.servers.providers.lxc.agent.trouble import HostError

_APT = Path("/etc/apt")
_KEYRING = "archive-keyring"  # of the distribution itself, as Debian and Ubuntu call theirs
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$")


@dataclass(frozen=True)
class Source:
    """Where packages of one or several suites are."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""

    def text(self) -> str:
        """Return it as a stanza of a `.sources` file."""
        lines = [
            "Types: deb",
            f"URIs: {' '.join(self.uris)}",
            f"Suites: {' '.join(self.suites)}",
            f"Components: {' '.join(self.components)}",
            *([f"Signed-By: {self.signed_by}"] if self.signed_by else []),
        ]
        return "\n".join(lines) + "\n"


def of_host() -> list[Source]:
    """Return all that the host's own apt uses."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for file in files:
        if file.suffix == ".list":
            found += one_line(text_of(file))
        elif file.suffix == ".sources":
            found += deb822(text_of(file))
    return found


def for_release(sources: Iterable[Source], release: str) -> list[Source]:
    """Return what of the distribution's own sources is about a release; HostError when its main suite is missing."""
    found = []
    for source in sources:
        suites = tuple(suite for suite in source.suites if suite == release or suite.startswith(f"{release}-"))
        if suites and (not source.signed_by or _KEYRING in source.signed_by) and "main" in source.components:
            found.append(Source(source.uris, suites, source.components, source.signed_by))
    if not any(release in source.suites for source in found):
        known = sorted({suite for source in sources for suite in source.suites if suite.isalnum()})
        raise HostError(
            f"apt of this host has no source for the release {release!r}",
            hint=f"it has {', '.join(known) or 'none at all'}; give `mirror:`, or add the release to its sources",
        )
    return found


def from_mirror(mirror: str, release: str) -> list[Source]:
    """Return the one source that a mirror makes."""
    return [Source((mirror,), (release,), ("main",))]


def mirror_of(sources: Sequence[Source], release: str) -> str:
    """Return the address that debootstrap takes a release from."""
    return next(source.uris[0] for source in sources if release in source.suites)


def one_line(text: str) -> list[Source]:
    """Read a `.list` file; what is commented out, and sources of source packages, don't count."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match:
            options = dict(each.partition("=")[::2] for each in (match["options"] or "").split())
            components = tuple(match["components"].split())
            found.append(Source((match["uri"],), (match["suite"],), components, options.get("signed-by", "")))
    return found


def deb822(text: str) -> list[Source]:
    """Read a `.sources` file; a key that stands in the file itself is left out, since it is nobody's file."""
    found = []
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes").lower() in {"no", "false"}:
            continue
        signed_by = stanza.get("signed-by", "")
        found.append(
            Source(
                tuple(stanza.get("uris", "").split()),
                tuple(stanza.get("suites", "").split()),
                tuple(stanza.get("components", "").split()),
                signed_by if signed_by.startswith("/") else signed_by and "inline",
            )
        )
    return [source for source in found if source.uris and source.suites]


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0].isspace():
            stanza[key] = f"{stanza.get(key, '')} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            stanza[key] = value.strip()
