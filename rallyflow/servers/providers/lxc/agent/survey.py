"""Everything that has to be known of a host before something is made on it, in one call."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from rallyflow.servers.providers.lxc.agent import layers, needs, networks


def look(images: str, image: str, digest: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host lacks, what is cached there, and which networks are taken.

    `image` is the name of a golden image, or nothing; then `digest` says which one is looked for. `wanted` is as
    `needs.problems` has it. `chain` is None when the image is not there.
    """
    named = layers.named(images)
    digest = named.get(image, "") if image else digest
    chain = layers.find(images, digest) if digest else None
    lacks = needs.problems(images, {**wanted, "build": wanted["build"] and chain is None})
    return {
        "problems": lacks,
        "architecture": platform.machine(),
        "named": sorted(named),
        "chain": chain,
        "taken": [] if lacks else networks.taken(),
    }
