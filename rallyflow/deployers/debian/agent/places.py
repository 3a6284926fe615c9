"""Where the agent keeps what it needs on a server."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("RALLYFLOW_AGENT_ROOT", "/"))  # tests work below another folder

STATE = ROOT / "var/lib/rallyflow"
LOGS = ROOT / "var/log/rallyflow"
DATA = STATE / "data"
"""What daemons keep; a removal removes it."""
MANIFEST = STATE / "deployment.json"
STAMPS = STATE / "stamps"
ORIGINALS = STATE / "originals"
SCHEMAS = STATE / "schemas"
"""Dumps of fresh tables, by versions; an image may have them from the beginning."""


def of(path: str) -> Path:
    """Return where a path of a plan is."""
    return ROOT / path.lstrip("/")
