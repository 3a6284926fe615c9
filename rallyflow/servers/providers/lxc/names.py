"""What things of a step are called on a host: each name follows from the step's tag, and fits where it is used."""

from __future__ import annotations

import base64
import hashlib

from rallyflow.model.ids import parse_tag

PREFIX = "rf"
"""What all bridges, veths and vxlans of ours begin with."""


def container(tag: str, server: str) -> str:
    """Return the name of a container."""
    return f"{tag}-{server}"


def bridge(tag: str) -> str:
    """Return the name of a step's bridge, of its table of nftables and of its file: 13 characters."""
    return f"{PREFIX}-{_key(tag)}"


def vxlan(tag: str) -> str:
    """Return the name of a step's vxlan device: 14 characters; Linux takes 15."""
    return f"{PREFIX}x-{_key(tag)}"


def vxlan_id(tag: str) -> int:
    """Return the number that a step's packets carry between hosts, of 24 bits."""
    return int.from_bytes(hashlib.sha256(tag.encode()).digest()[:3], "big") or 1


def veth(name: str) -> str:
    """Return the name of a container's device on the host: 14 characters."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"{PREFIX}v-{base64.b32encode(digest)[:10].decode().lower()}"


def _key(tag: str) -> str:
    parsed = parse_tag(tag)
    if parsed is None:
        raise ValueError(f"{tag!r} is not a tag")
    return parsed.key
