"""What a host lacks for containers, found by looking and trying: each thing with what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import configs, host, layers
from rallyflow.servers.providers.lxc.agent.trouble import HostError

TOOLS = {"lxc-start": "lxc", "ip": "iproute2", "unshare": "util-linux", "tar": "tar"}
_DISK = {"build": 3 << 30, "clone": 256 << 20}  # bytes that have to be free
_TRIAL = "rf-trial"
_ELSEWHERE = "RALLYFLOW_CACHE says where images of this machine are"


def problems(images: str, wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what this host lacks, each `what`, `hint` and perhaps `package`, the Debian package that has it.

    `wanted` has `nat`, `vxlan`, `memory` (bytes of all containers in all, 0 for any), `limits` (of `memory`,
    `cpus`) and `build` (whether an image has to be built here).
    """
    found = [*_rights(), *_tools(wanted)]
    return found or [*_kernel(wanted), *_limits(wanted), *_folder(images), *_space(images, wanted)]


def install(packages: list[str]) -> None:
    """Install Debian packages on this host."""
    command = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600", "install", *packages)
    host.say(f"installing {', '.join(packages)}")
    try:
        host.run(*command, timeout=1800.0)
    except HostError:
        host.run("apt-get", "-q", "update", timeout=600.0)
        host.run(*command, timeout=1800.0)


def _rights() -> Iterator[dict[str, str]]:
    if os.geteuid() != 0:
        yield {"what": "containers need root", "hint": "run as root, or let the user have sudo without a password"}


def _tools(wanted: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    tools = dict(TOOLS)
    if wanted["build"]:
        tools["debootstrap"] = "debootstrap"
    if wanted["nat"]:
        tools["nft"] = "nftables"
    if wanted["vxlan"]:
        tools["bridge"] = "iproute2"
    for tool, package in tools.items():
        if not shutil.which(tool, path=host.PATH):
            yield {"what": f"there is no program {tool}", "hint": f"apt-get install {package}", "package": package}


def _kernel(wanted: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if "\toverlay\n" not in _modprobed("overlay", Path("/proc/filesystems")):
        yield {"what": "the kernel has no overlay file system", "hint": "modprobe overlay"}
    kinds = [kind for kind in _devices(wanted) if not Path("/sys/module", kind).exists()]
    with host.locked("trial"):
        for kind in kinds:
            host.run("ip", "link", "delete", _TRIAL, check=False)  # of one that was killed
            try:
                options = ("id", "1", "dstport", "0") if kind == "vxlan" else ()
                host.run("ip", "link", "add", _TRIAL, "type", kind, *options)
            except HostError as error:
                yield {"what": f"the kernel makes no network device of the type {kind}: {error.what}", "hint": ""}
            finally:
                host.run("ip", "link", "delete", _TRIAL, check=False)
    if _type_of(host.STATE) == "overlay":
        yield {
            "what": f"{host.STATE} is itself on an overlay file system, on which no other can be",
            "hint": "make the server that this is with `nesting: true`, or mount a folder of another file system there",
        }


def _devices(wanted: Mapping[str, Any]) -> list[str]:
    return ["bridge", *(["vxlan"] if wanted["vxlan"] else [])]


def _modprobed(module: str, file: Path) -> str:
    if f"\t{module}\n" not in host.text_of(file) and shutil.which("modprobe", path=host.PATH):
        host.run("modprobe", module, check=False)
    return host.text_of(file)


def _limits(wanted: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    files = {"memory": ("memory", "memory.limit_in_bytes"), "cpus": ("cpu", "cpu.cfs_quota_us")}
    for key in wanted["limits"]:
        if configs.lacks_controller(*files[key]):
            yield {"what": f"the kernel can't limit {key}", "hint": f"leave `{key}` out"}


def _folder(images: str) -> Iterator[dict[str, str]]:
    if any(sign in images for sign in layers.NOT_IN_PATHS):
        yield {"what": f"overlay can't use a folder with such a name: {images}", "hint": _ELSEWHERE}
    nearest = next(folder for folder in (Path(images), *Path(images).parents) if folder.exists())
    if not nearest.is_dir():
        yield {"what": f"{nearest} is no folder, and images are to be kept in {images}", "hint": _ELSEWHERE}


def _space(images: str, wanted: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for folder, least in ((host.STATE, _DISK["clone"]), (Path(images), _DISK["build"] if wanted["build"] else 0)):
        free = host.free_bytes(folder)
        if free < least:
            hint = f"`rallyflow images --unused` may free some; {_ELSEWHERE}" if folder == Path(images) else ""
            yield {"what": f"{folder} has {free >> 20} MiB left, and {least >> 20} MiB are needed", "hint": hint}
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted["memory"] > total:
        memory = f"{total >> 20} MiB of memory, and the containers may use {wanted['memory'] >> 20} MiB"
        yield {"what": f"the host has {memory}", "hint": "lower `memory` or `count`"}


def _type_of(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    return host.first_line(["stat", "-f", "-c", "%T", str(folder)]).replace("overlayfs", "overlay")
