"""Makes layers of images: by debootstrap and apt, from a tar file of another host, or from a container."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from pkgutil import get_data
from typing import Any

from rallyflow.servers.providers.lxc.agent import host, layers, sources
from rallyflow.servers.providers.lxc.agent.trouble import HostError

TAR = ("--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls")
"""How tar keeps all that overlay needs of a layer."""

_LAST = 12  # lines of a build that are part of its error


def build(images: str, digest: str, recipe: Mapping[str, Any]) -> bool:
    """Build a layer after its recipe, unless it is there; returns whether it had to be built.

    The recipe has `parent` (a digest, or nothing for a base), `release`, `packages`, `seed`, `init` and `mirror`.
    """
    with layers.making(images, digest, recipe["parent"]) as folder:
        if folder is None:
            return False
        lower = layers.lower(images, recipe["parent"])
        _write(folder, recipe, lower)
        _run(folder, recipe["release"])
        for name in ("merged", "work", "lower", "mirror", "sources", "apt.conf", "packages", "seed", "services"):
            host.remove_tree(folder / name)
        layers.describe(folder, digest, recipe["parent"], release=recipe["release"], init=recipe["init"])
    return True


def _write(folder: Path, recipe: Mapping[str, Any], lower: str) -> None:
    release, mirror = recipe["release"], recipe["mirror"]
    chosen = sources.from_mirror(mirror, release) if mirror else sources.for_release(sources.of_host(), release)
    files = {
        "lower": lower,
        "mirror": sources.mirror_of(chosen, release),
        "sources": "\n".join(source.text() for source in chosen),
        "apt.conf": acquire_options(),
        "packages": "".join(f"{name}\n" for name in recipe["packages"]),
        "seed": "".join(f"{command}\n" for command in recipe["seed"]),
        **({"services": ""} if recipe["init"] == "systemd" else {}),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def acquire_options() -> str:
    """Return how apt of this host reaches its sources: proxies and such, as lines of an apt.conf."""
    words = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries", "Acquire::ForceIP")
    shown = host.run("apt-config", "dump", check=False)
    return "".join(f"{line}\n" for line in shown.splitlines() if line.startswith(words) and '""' not in line)


def _run(folder: Path, release: str) -> None:
    script = (get_data(__package__ or "", "build.sh") or b"").decode()
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
    command = [*apart, "sh", "-c", script, "build", str(folder), release]
    last: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=host.env(),
    )
    with process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            last = [*last, line.rstrip()][-_LAST:]
    if process.returncode:
        raise HostError(
            f"the image can't be built (exit code {process.returncode}): {' | '.join(_errors(last))}",
            hint="the whole output is in the step's log; has this host a way to its Debian mirror?",
            kind="transient",
        )


def _errors(last: list[str]) -> list[str]:
    """Return what apt and debootstrap call errors among the last lines; all of these, when that is nothing."""
    return [line for line in last if line.startswith("E: ")] or last


def unpack(images: str, digest: str, about: Mapping[str, Any]) -> None:
    """Make a layer from another host's, which comes as a tar file on the input after the call."""
    with layers.making(images, digest, about["parent"]) as folder:
        if folder is None:
            return
        command = ["tar", "-C", str(folder), *TAR, "-xf", "-"]
        done = subprocess.run(command, stdin=0, capture_output=True, text=True, check=False, env=host.env())
        if done.returncode:
            raise HostError(f"the image {digest} can't be unpacked: {done.stderr.strip()[-300:]}", kind="transient")
        more = {key: value for key, value in about.items() if key not in {"digest", "parent", "size", "made"}}
        layers.describe(folder, digest, about["parent"], **more)
