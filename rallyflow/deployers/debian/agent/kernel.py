"""What a server has that not every kernel gives, and which volume groups are there; nothing is changed by looking."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .events import call

_MODULES = {"device-mapper": "dm_mod", "openvswitch": "openvswitch"}
_KVM = Path("/dev/kvm")
_PATIENCE = 60.0  # seconds


def features() -> list[str]:
    """Return those of the names that a plan may depend on which the kernel has, or can load."""
    found = [name for name, module in _MODULES.items() if _is_there(name, module) or _can_be_loaded(module)]
    return [*found, *(["kvm"] if _KVM.is_char_device() else [])]


def volume_groups() -> list[str]:
    """Return the names of LVM's volume groups; none where LVM is not installed."""
    if not shutil.which("vgs", path="/usr/sbin:/sbin"):
        return []
    return call(("/usr/sbin/vgs", "--noheadings", "-o", "vg_name"), timeout=_PATIENCE).split()


def _is_there(name: str, module: str) -> bool:
    if Path(f"/sys/module/{module}").is_dir():
        return True
    return any(line.split()[-1:] == [name] for line in Path("/proc/misc").read_text().splitlines())


def _can_be_loaded(module: str) -> bool:
    if not shutil.which("modprobe", path="/usr/sbin:/sbin"):
        return False
    command = ("/usr/sbin/modprobe", "--dry-run", "--quiet", module)
    return subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False).returncode == 0
