"""An environment of its own for each set of packages: made once with venv and pip, then used by all runs of this user.

It counts as made only when its marker is there, which is written last: what a killed build left is made anew. Two runs
that want the same one make it once, under a lock. Where packages come from is pip's own configuration.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rallyflow.errors import DiskFull, VerifierUnbuilt
from rallyflow.model.step import Progress
from rallyflow.settings import cache
from rallyflow.verifiers.children import Command, Limits, clean_environment, run
from rallyflow.verifiers.workplace import Workplace

_MARKER = "rallyflow.json"
_LOOK = 0.5
_NAMED_LINES = 4


class Interrupted(Exception):  # noqa: N818 - what happened
    """The step should stop, and there is no environment yet."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python with packages. `packages` maps each package to its version."""

    path: Path
    packages: dict[str, str]

    def program(self, name: str) -> str:
        """Return the path of a program in it."""
        return str(self.path / "bin" / name)


def environment(name: str, requirements: Sequence[str], workplace: Workplace) -> Environment:
    """Return the environment with these packages, made first if need be.

    Raises VerifierUnbuilt with pip's last lines, DiskFull, or Interrupted when the step should stop.
    """
    path = cache() / "verifiers" / f"{name}-{_digest(requirements)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path.with_name(f"{path.name}.lock"), workplace):
        found = _made(path)
        if found is None:
            _make(path, requirements, workplace)
            found = _made(path)
        if found is None:
            raise VerifierUnbuilt(f"{path} was made, and does not work", hint="remove the folder and try again")
    return found


def _digest(requirements: Sequence[str]) -> str:
    content = [sorted(requirements), sys.executable, sys.version]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _lock(path: Path, workplace: Workplace) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(descriptor):
            workplace.report(Progress(note="waiting for another run that installs the same verifier"))
            if workplace.stop.wait(_LOOK):
                raise Interrupted
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _made(path: Path) -> Environment | None:
    """Return an environment that is complete, and whose Python is still there; None otherwise."""
    try:
        packages = json.loads((path / _MARKER).read_bytes())["packages"]
    except (OSError, ValueError, KeyError):
        return None
    return Environment(path, packages) if os.access(path / "bin" / "python", os.X_OK) else None


def _make(path: Path, requirements: Sequence[str], workplace: Workplace) -> None:
    began = time.monotonic()
    workplace.log.info("installing %s into %s", " ".join(requirements), path)
    workplace.report(Progress(note=f"installing {requirements[0]}"))
    try:
        shutil.rmtree(path, ignore_errors=True)
        _do([sys.executable, "-m", "venv", str(path)], "Python can't make an environment", workplace)
        pip = [str(path / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        _do([*pip, "install", "-qq", *requirements], "pip can't install the verifier", workplace)
        _mark(path, _frozen([*pip, "list", "--format=json"], workplace))
    except (VerifierUnbuilt, DiskFull):
        shutil.rmtree(path, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left to make {path}", hint="free some space, then `rallyflow resume`") from error
        raise VerifierUnbuilt(f"{path} can't be made: {error}", hint="RALLYFLOW_CACHE names another folder") from error
    workplace.log.info("installed in %.0f s", time.monotonic() - began)


def _do(words: Sequence[str], trouble: str, workplace: Workplace) -> bytes:
    output = bytearray()
    command = Command(words, workplace.directory, env=clean_environment(PIP_NO_INPUT="1"))
    ended = run(
        command,
        lambda source: output.extend(source.read()),
        lambda line: workplace.log.info("%s", line),
        Limits(stop=workplace.stop),
    )
    if ended.cut:
        raise Interrupted
    if ended.code:
        said = [line for line in ended.lines if not line.startswith("WARNING")] or output.decode().splitlines()
        space = any("No space left" in line for line in said)
        if space:
            raise DiskFull("no space left to install a verifier", hint="free some space, then `rallyflow resume`")
        raise VerifierUnbuilt(
            f"{trouble}: {' | '.join(said[-_NAMED_LINES:]) or ended.how}",
            hint="the step's log has all that it printed; does `pip download` of the same packages work here?",
        )
    return bytes(output)


def _frozen(words: Sequence[str], workplace: Workplace) -> dict[str, str]:
    listed = json.loads(_do(words, "pip can't list what it installed", workplace))
    return {entry["name"].lower(): entry["version"] for entry in listed}


def _mark(path: Path, packages: dict[str, str]) -> None:
    temporary = path / f"{_MARKER}.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"packages": packages}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path / _MARKER)
