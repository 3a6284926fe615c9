"""Run by the Python of a Tempest: prints which options it and its plugins know, as JSON of section to names.

`oslo.config` reads what somebody has registered and says nothing of the rest, so that a misspelt section or option of a
tempest.conf changes nothing.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

_LISTS = ("tempest.config", "oslo.log", "oslo.concurrency")
"""Entry points of lists of options: those of Tempest, to which its plugins add, and of what it is built on."""

Known = defaultdict[str, set[str]]


def main() -> None:
    """Print them: those that are listed for samples, older names of these, and what plugins register beside that."""
    known: Known = defaultdict(set)
    for point in entry_points(group="oslo.config.opts"):
        if point.name in _LISTS:
            for group, options in point.load()():
                _add(getattr(group, "name", group) or "DEFAULT", options, known)
    _add_registered(known)
    sys.stdout.write(json.dumps({section: sorted(names) for section, names in known.items()}) + "\n")


def _add(group: str, options: Iterable[Any], known: Known) -> None:
    for option in options:
        known[group.lower()].update((option.name, option.dest))
        for older in option.deprecated_opts:
            known[(older.group or group).lower()].add(older.name or option.name)


def _add_registered(known: Known) -> None:
    config = import_module("tempest.config")
    cfg = config.cfg
    config.register_opts()
    for name in cfg.CONF:
        found = getattr(cfg.CONF, name)
        if isinstance(found, cfg.ConfigOpts.GroupAttr):
            known[name.lower()].update(found)


if __name__ == "__main__":
    main()
