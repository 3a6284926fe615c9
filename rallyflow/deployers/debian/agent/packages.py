"""Debian packages: which are there, and those that are missing, installed without starting anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import files, places
from .events import AgentError, call

_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_APT = ("apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600")
_POLICY = "#!/bin/sh\n# rallyflow: packages must not start services while a deployment installs them\nexit 101\n"


def versions() -> dict[str, str]:
    """Return every installed package with its version."""
    text = call(("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\\n"), timeout=120)
    lines = (line.split() for line in text.splitlines())
    return {words[1]: words[2] for words in lines if len(words) == 3 and words[0] == "ii"}


def install(wanted: Sequence[str], timeout: float) -> list[str]:
    """Install what is missing, and return that. Services are not started by it.

    Raises AgentError of the kind `packages`.
    """
    there = versions()
    missing = [name for name in wanted if name not in there]
    if missing:
        with _nothing_starts():
            env = {**_QUIET, **{key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}}
            try:
                if not _can_get(missing, env):
                    call((*_APT, "update"), timeout=timeout, env=env)
                call((*_APT, "install", *missing), timeout=timeout, env=env)
            except AgentError as error:
                raise AgentError(f"{error.what}, with {' '.join(missing)}", error.log, "packages") from error
    return missing


def _can_get(missing: Sequence[str], env: dict[str, str]) -> bool:
    """Whether apt knows where to get all of them, as far as its lists go, which an image may lack."""
    done = subprocess.run((*_APT, "--simulate", "install", *missing), capture_output=True, check=False, env=env)
    return done.returncode == 0


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Forbid packages to start services; what the server had to say about that before holds again afterwards."""
    let_start()
    policy, kept = _policies()
    if policy.exists():
        policy.rename(kept)
    files.replace(policy, _POLICY.encode(), 0o755)
    try:
        yield
    finally:
        let_start()


def let_start() -> None:
    """Let services start as the server had it before: an installation that was killed has left them forbidden."""
    policy, kept = _policies()
    if policy.exists() and policy.read_text(errors="replace") == _POLICY:
        policy.unlink()
    if kept.exists() and not policy.exists():
        kept.rename(policy)


def _policies() -> tuple[Path, Path]:
    """Return the file that says whether services may start, and where the server's own is kept meanwhile."""
    policy = places.of("/usr/sbin/policy-rc.d")
    return policy, policy.with_suffix(".rallyflow")


def stop_units(units: Sequence[str], timeout: float) -> None:
    """Stop and disable what the packages' own services are, and their sockets: ours take their place."""
    if Path("/run/systemd/system").is_dir():
        found = call(("systemctl", "list-unit-files", "--no-legend", "--plain"), timeout=timeout)
        there = {line.split()[0] for line in found.splitlines() if line}
        wanted = [unit if "." in unit else f"{unit}.service" for unit in units]
        names = [unit for unit in wanted if unit in there]
        if names:
            call(("systemctl", "disable", "--now", *names), timeout=timeout)
        return
    if Path("/proc/1/comm").read_text().strip() != "init":  # nobody starts the scripts below /etc/init.d
        return
    for unit in units:
        script = places.of(f"/etc/init.d/{unit}")
        if script.exists() and not places.STAMPS.joinpath(f"stopped-{unit}").exists():
            call((str(script), "stop"), timeout=timeout)
            call(("update-rc.d", unit, "disable"), timeout=timeout)
            places.STAMPS.joinpath(f"stopped-{unit}").touch()
