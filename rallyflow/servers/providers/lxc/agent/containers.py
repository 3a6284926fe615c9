"""Containers on this host: made, started again, stopped, looked for and removed, each by its name."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import configs, groups, host, layers
from rallyflow.servers.providers.lxc.agent.trouble import HostError

_AT_ONCE = 8
_STOPPING = 60  # seconds until a container that is asked to stop is killed
_STARTING = 60  # seconds
_OVER = 'lxc-stop -P "$1" -n "$2" -t "$3" >/dev/null 2>&1; exec lxc-start -P "$1" -n "$2" -o "$4" -l WARN'
_ABOUT = "server.json"
_AGAIN = "start_again"  # in the record of a container that we have stopped, and that has to run
_NOISE = "get_config_unsupported_key"  # in every log of an LXC that was built without seccomp


def create(
    images: str, servers: Sequence[Mapping[str, Any]], keys: Mapping[str, Mapping[str, str]], directory: str = ""
) -> dict[str, Any]:
    """Make containers, and start them; one that is complete already, and just as wanted, is kept and started.

    `keys` are the host keys by name, each `private` and `public`, for those that have to be made; `directory` is the
    folder of the run, when it is on this host. Returns for each name `host_key`, the public key that it has, or
    `error`.
    """
    host.private(host.CONTAINERS)
    return _each(
        [server["name"] for server in servers], lambda at, lock: _create(images, servers[at], keys, directory, lock)
    )


def restore(names: Sequence[str]) -> dict[str, Any]:
    """Start again what does not run of these containers; the answer says `missing` of those that are not here."""
    return _each(names, lambda at, lock: _restore(names[at], lock))


def delete(names: Sequence[str]) -> dict[str, Any]:
    """Remove containers with all that is theirs, also those that are half made; the answer has errors only."""
    return _each(names, lambda at, _lock: _delete(names[at]))


def listed() -> list[dict[str, Any]]:
    """Return what is known of each container of ours, complete or not, and whether it runs."""
    found = []
    for folder in sorted(host.CONTAINERS.glob("*")):
        if folder.is_dir():
            about = host.read_json(folder / _ABOUT) or {}
            found.append({"image": "", "tag": "", **about, "name": folder.name, "running": is_running(folder.name)})
    return found


def is_running(name: str) -> bool:
    """Whether a container runs."""
    return _state(name) == "RUNNING"


def start(name: str, lock: int, *, over: bool = False) -> None:
    """Start a container, and return when its first process runs; HostError says why it does not.

    With `over` it is stopped before, if it has not yet been. `lock` is the container's, which is ours: who removes the
    container waits until LXC has done what it began, even if we are killed meanwhile.
    """
    log = _folder(name) / "lxc.log"
    log.unlink(missing_ok=True)
    words = ["lxc-start", "-P", host.CONTAINERS, "-n", name, "-o", log, "-l", "WARN"]
    if over:
        words = ["sh", "-c", _OVER, "over", host.CONTAINERS, name, _STOPPING, log]
    try:
        host.run(*words, timeout=_STARTING + _STOPPING if over else _STARTING, holding=lock)
    except HostError as error:
        raise HostError(f"the container does not start: {_errors(log) or error.what}") from error


@contextlib.contextmanager
def at_rest(name: str, lock: int) -> Iterator[None]:
    """Have a container stopped in order meanwhile, and started again if it ran, however this ends.

    Its record says so before it is stopped: after a kill, or a crash of the host, the next one who comes to it starts
    it, this function as well. `lock` is as `start` has it.
    """
    file = _folder(name) / _ABOUT
    about = host.read_json(file) or {}
    runs = is_running(name)
    if not (runs or about.get(_AGAIN)):
        yield
        return
    if not runs:
        _clear(name, about)
    host.write_json(file, {**about, _AGAIN: True})
    try:
        host.say(f"stopping {name}")
        stop(name)
        yield
    finally:
        host.say(f"starting {name} again")
        start(name, lock, over=True)
        _forget_start(name)


def _forget_start(name: str) -> None:
    """Take it back that a container has to be started: it runs."""
    about = host.read_json(_folder(name) / _ABOUT)
    if about and about.pop(_AGAIN, False):
        host.write_json(_folder(name) / _ABOUT, about)


def stop(name: str) -> None:
    """Stop a container in order, and by force when that takes more than a minute."""
    if is_running(name):
        host.run("lxc-stop", "-P", host.CONTAINERS, "-n", name, "-t", _STOPPING, timeout=_STOPPING + 30)


def _each(names: Sequence[str], work: Callable[[int, int], Mapping[str, Any]]) -> dict[str, Any]:
    def one(at: int) -> Mapping[str, Any]:
        try:
            with host.locked(f"container-{host.checked(names[at])}") as lock:
                return work(at, lock)
        except HostError as error:
            return {"error": {"what": error.what, "hint": error.hint, "kind": error.kind}}
        except subprocess.TimeoutExpired as error:
            what = f"{error.cmd[0]} took longer than {error.timeout:.0f}s"
            return {"error": {"what": what, "hint": "is the host overloaded?", "kind": "transient"}}
        except OSError as error:
            return {"error": {"what": str(error), "hint": "", "kind": "permanent"}}

    with ThreadPoolExecutor(max(1, min(_AT_ONCE, len(names)))) as pool:
        return dict(zip(names, pool.map(one, range(len(names))), strict=True))


def _create(
    images: str, server: Mapping[str, Any], keys: Mapping[str, Mapping[str, str]], directory: str, lock: int
) -> Mapping[str, Any]:
    name, folder = server["name"], _folder(server["name"])
    known = host.read_json(folder / _ABOUT)
    if known and known["complete"] and all(known.get(key) == value for key, value in server.items()):
        if not is_running(name):
            _clear(name, known)
            start(name, lock)
        _forget_start(name)
        return {"host_key": known["host_key"], "kept": True}
    if folder.exists():
        _delete(name)
    own = keys[name]
    about = {**server, "images": images, "directory": directory, "host_key": own["public"], "complete": False}
    with layers.claiming(images, server["image"]):
        lower = layers.lower(images, server["image"])
        folder.mkdir(parents=True)
        host.write_json(folder / _ABOUT, about)
    _fill(server, own, lower, folder)
    start(name, lock)
    host.write_json(folder / _ABOUT, {**about, "complete": True})
    return {"host_key": own["public"], "kept": False}


def _fill(server: Mapping[str, Any], keys: Mapping[str, str], lower: str, folder: Path) -> None:
    for path, text, mode in configs.files(server, keys):
        target = folder / "upper" / path
        _make_folders(folder / "upper", target.parent)
        host.write_file(target, text, mode)
    for nested in configs.nested_folders(server, folder):
        nested.mkdir(parents=True)
    host.write_file(folder / "config", configs.lxc_config(server, lower, folder))


def _make_folders(top: Path, folder: Path) -> None:
    """Make folders of an upper layer, with the modes that they have below it."""
    top.mkdir(mode=0o755, exist_ok=True)
    for part in reversed([folder, *folder.parents]):
        if top in part.parents and not part.exists():
            part.mkdir(mode=0o700 if part.relative_to(top).parts[0] == "root" else 0o755)


def _restore(name: str, lock: int) -> Mapping[str, Any]:
    known = host.read_json(_folder(name) / _ABOUT)
    if not known or not known["complete"]:
        return {"missing": True}
    runs = is_running(name)
    if not runs:
        host.say(f"starting {name} again")
        _clear(name, known)
        start(name, lock)
    _forget_start(name)
    return {} if runs else {"started": True}


def _delete(name: str) -> Mapping[str, Any]:
    folder = _folder(name)
    if is_running(name):
        host.run("lxc-stop", "-P", host.CONTAINERS, "-n", name, "-k", check=False)
    known = host.read_json(folder / _ABOUT) or {}
    _clear_away(name, known)
    host.remove_tree(folder)
    if known.get("images"):
        layers.clear_half_made(known["images"], layers.GOLDEN)  # of snapshots that were killed
    (host.LOCKS / f"container-{name}.lock").unlink(missing_ok=True)
    return {}


def _clear(name: str, known: Mapping[str, Any]) -> None:
    """Remove what a container has left whose monitor was killed, if it has ended: LXC takes other names beside that."""
    if _state(name) == "STOPPED":
        _clear_away(name, known)


def _clear_away(name: str, known: Mapping[str, Any]) -> None:
    groups.end(name)
    veth = known.get("veth", "")
    if veth and host.has_link(veth):
        host.run("ip", "link", "delete", veth, check=False)


def _state(name: str) -> str:
    """Return what LXC says of a container: STOPPED also when it knows of none; nothing when it does not answer."""
    return host.first_line(["lxc-info", "-P", str(host.CONTAINERS), "-n", name, "-s", "-H"])


def _folder(name: str) -> Path:
    return host.CONTAINERS / host.checked(name)


def _errors(log: Path) -> str:
    """Return the errors of a log of LXC, without its own words around them."""
    found = [line for line in host.text_of(log).splitlines() if " ERROR " in line and _NOISE not in line]
    lines = [line.rpartition(" - ")[2] for line in found]
    return "; ".join(dict.fromkeys(lines[:3]))
