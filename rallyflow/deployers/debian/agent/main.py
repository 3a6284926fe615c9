"""The verbs of the agent: they read JSON from the standard input, say events, and end with 1 on an error."""

from __future__ import annotations

import fcntl
import json
import resource
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import daemons, files, kernel, packages, places
from .events import AgentError, call, say
from .plan import Plan, load
from .work import Work

_AT_ONCE = 200  # packages in a line, which may not become too long
_UNDO_PATIENCE = 60.0  # seconds for each command of a removal
_LOCK_PATIENCE = 120.0  # seconds that an agent may take to end whose deployment was killed


def main(verb: str) -> int:
    """Do one verb; returns the exit code."""
    try:
        _VERBS[verb](sys.stdin.read())
    except AgentError as error:
        say("error", what=error.what, log=error.log, kind=error.kind)
        return 1
    except OSError as error:
        say("error", what=f"{error.strerror or error}: {error.filename or ''}".strip(": "), log="")
        return 1
    return 0


def _facts(text: str) -> None:
    """Say what there is: packages, dumps of tables, a deployment, what the kernel has; volume groups for `lvm`."""
    dumps = sorted(path.name for path in places.SCHEMAS.glob("*.sql.gz")) if places.SCHEMAS.is_dir() else []
    manifest = _manifest()
    found = sorted(packages.versions().items())
    for start in range(0, len(found), _AT_ONCE):
        say("packages", packages=dict(found[start : start + _AT_ONCE]))
    say(
        "facts",
        hostname=socket.gethostname(),
        schemas=dumps,
        deployment=manifest.get("deployment", ""),
        systemd=Path("/run/systemd/system").is_dir(),
        kernel=kernel.features(),
        volume_groups=kernel.volume_groups() if text == "lvm" else [],
    )


def _install(text: str) -> None:
    """Install missing packages."""
    wanted = json.loads(text)
    with _alone():
        installed = packages.install(wanted["packages"], wanted["timeout"])
    say("installed", packages=installed)


def _halt(text: str) -> None:
    """Stop daemons that are not as a plan has them, and nothing else."""
    plan = load(text)
    with _alone():
        _see_to_another(plan)
        Work(plan).stop_what_differs()
    say("halted")


def _apply(text: str) -> None:
    """Bring this server to its plan."""
    plan = load(text)
    with _alone():
        packages.let_start()
        _see_to_another(plan)
        _note(plan)
        _raise_limits()
        packages.stop_units(plan.stop_units, plan.timeout)
        files.write_hosts({socket.gethostname(): "127.0.1.1", **plan.hosts})
        files.make_folders(plan.folders)
        changed = [file.path for file in plan.files if files.write(file)]
        say("files", changed=changed)
        say("applied", started=Work(plan).do())


def _remove(text: str) -> None:
    """Stop a deployment's daemons, remove its data, and put the files back that were there before."""
    wanted = json.loads(text)
    with _alone():
        packages.let_start()
        manifest = _manifest()
        if manifest.get("deployment") != wanted["deployment"]:
            say("removed", found=False)
            return
        daemons.stop(daemons.running(wanted["deployment"]), grace=1.0)  # nothing of what they hold is kept
        for command in manifest.get("undo", ()):
            call(command, timeout=_UNDO_PATIENCE)
        files.write_hosts({})
        files.put_back(manifest["files"])
        for folder in (places.DATA, places.STAMPS, places.LOGS):
            shutil.rmtree(folder, ignore_errors=True)
        places.MANIFEST.unlink(missing_ok=True)
        files.forget_originals()
    say("removed", found=True)


def _manifest() -> dict[str, Any]:
    try:
        return dict(json.loads(places.MANIFEST.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _see_to_another(plan: Plan) -> None:
    """Refuse a server that holds another deployment; or end its daemons, when it is to become this one."""
    there = _manifest().get("deployment", plan.deployment)
    if there == plan.deployment:
        return
    if not plan.take_over:
        raise AgentError(f"another deployment is on this server: {there}", kind="taken")
    daemons.stop(daemons.running(there))


def _note(plan: Plan) -> None:
    """Book what a removal has to know, before anything of it is made."""
    before = _manifest()
    if not before:  # a removal may have been cut off after its last word
        files.forget_originals()
    paths = [*before.get("files", ()), *(file.path for file in plan.files)]
    for folder, mode in ((places.STATE, 0o711), (places.DATA, 0o711), (places.STAMPS, 0o700), (places.LOGS, 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    undo = dict.fromkeys(tuple(command) for command in (*before.get("undo", ()), *plan.undo))
    content = {"deployment": plan.deployment, "files": list(dict.fromkeys(paths)), "undo": list(undo)}
    files.replace(places.MANIFEST, json.dumps(content).encode(), 0o600)


def _raise_limits() -> None:
    """Let daemons open as many files as the server allows."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of this server: an agent whose caller was killed may still be ending."""
    places.STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (places.STATE / "lock").open("w") as file:
        until = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise AgentError("another deployment works on this server right now") from None
                time.sleep(0.2)
        yield


_VERBS: Mapping[str, Callable[[str], None]] = {
    "facts": _facts,
    "install": _install,
    "halt": _halt,
    "apply": _apply,
    "remove": _remove,
}
