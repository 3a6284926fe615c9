"""The error of the agent, which crosses to the caller as JSON."""

from __future__ import annotations


class HostError(Exception):
    """Something can't be done on this host. `kind` is for the caller: permanent, transient, taken, missing or used."""

    def __init__(self, what: str, *, hint: str = "", kind: str = "permanent") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.kind = kind
