"""What a run ran on: kept with the run, so that a number can still be understood years later."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rallyflow import __version__

_PACKAGES = ("openstacksdk", "keystoneauth1", "pycurl", "duckdb", "pyarrow", "altair", "pydantic")


def provenance(workflow_text: bytes) -> dict[str, Any]:
    """Return plain data about this machine, this rallyflow and the workflow file."""
    return {
        "rallyflow": __version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "os": _os_name(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "workflow_sha256": hashlib.sha256(workflow_text).hexdigest(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
