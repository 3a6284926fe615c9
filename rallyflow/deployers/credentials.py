"""Writes the clouds.yaml that later steps, and people, speak to a cloud with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def write_clouds_yaml(path: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Write one entry, in one piece, readable by nobody else."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump({"clouds": {name: dict(entry)}}, file, sort_keys=False)
    temporary.rename(path)
