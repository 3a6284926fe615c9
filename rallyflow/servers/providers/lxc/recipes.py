"""What an image is made of, and the digest that it is cached by: the same recipe is built once on each host."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from rallyflow.servers.packages import expanded
from rallyflow.servers.providers.lxc.inputs import LxcInputs

_FORMAT = 1
"""Part of every digest: raised when the same recipe gives another image."""
_BASE = (
    "openssh-server",
    "iproute2",
    "procps",
    "python3",
    "ca-certificates",
    "iputils-ping",
    "debian-archive-keyring",
)
_INIT = {"minimal": (), "systemd": ("systemd-sysv", "dbus", "libpam-systemd")}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One layer. `parent` is the digest of the layer below; a base has none, and is made by debootstrap."""

    parent: str
    architecture: str
    release: str
    packages: tuple[str, ...]
    seed: tuple[str, ...]
    init: str
    mirror: str

    @property
    def digest(self) -> str:
        """Twenty-four hexadecimal digits that say what is in it."""
        text = json.dumps([_FORMAT, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def recipes(inputs: LxcInputs, architecture: str) -> tuple[Recipe, ...]:
    """Return the layers of the image that is asked for, the lowest first; InputsInvalid for an unknown set."""
    base = Recipe("", architecture, inputs.release, _BASE, (), "minimal", inputs.mirror)
    packages = (*_INIT[inputs.init], *expanded(inputs.packages))
    if not packages and not inputs.seed:
        return (base,)
    own = replace(base, parent=base.digest, packages=packages, seed=inputs.seed, init=inputs.init)
    return (base, own)
