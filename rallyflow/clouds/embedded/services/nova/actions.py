"""Server actions: which states they are allowed in, and which they lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rallyflow.clouds.embedded.services.glance import snapshots
from rallyflow.clouds.embedded.services.nova import flavors, life
from rallyflow.clouds.embedded.services.nova.servers import find
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response


@dataclass(frozen=True, slots=True)
class _Transition:
    """An action that takes a server from one of some statuses to another."""

    name: str  # as nova's errors call it
    allowed: frozenset[str]
    task: str
    status: str  # at the end
    vm_state: str
    during: str = ""


def _from(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


_TRANSITIONS = {
    "reboot": _Transition("reboot", _from("ACTIVE", "SHUTOFF", "PAUSED"), "rebooting", "ACTIVE", "active", "REBOOT"),
    "os-start": _Transition("start", _from("SHUTOFF"), "powering-on", "ACTIVE", "active"),
    "os-stop": _Transition("stop", _from("ACTIVE", "RESCUE"), "powering-off", "SHUTOFF", "stopped"),
    "pause": _Transition("pause", _from("ACTIVE"), "pausing", "PAUSED", "paused"),
    "unpause": _Transition("unpause", _from("PAUSED"), "unpausing", "ACTIVE", "active"),
    "suspend": _Transition("suspend", _from("ACTIVE"), "suspending", "SUSPENDED", "suspended"),
    "resume": _Transition("resume", _from("SUSPENDED"), "resuming", "ACTIVE", "active"),
    "rescue": _Transition("rescue", _from("ACTIVE", "SHUTOFF"), "rescuing", "RESCUE", "rescued"),
    "unrescue": _Transition("unrescue", _from("RESCUE"), "unrescuing", "ACTIVE", "active"),
    "shelve": _Transition(
        "shelve",
        _from("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"),
        "shelving",
        "SHELVED_OFFLOADED",
        "shelved_offloaded",
    ),
    "unshelve": _Transition("unshelve", _from("SHELVED_OFFLOADED"), "unshelving", "ACTIVE", "active"),
    "confirmResize": _Transition("confirmResize", _from("VERIFY_RESIZE"), "", "ACTIVE", "active"),
    "migrate": _Transition(
        "migrate", _from("ACTIVE", "SHUTOFF"), "resize_migrating", "VERIFY_RESIZE", "resized", "RESIZE"
    ),
    "os-migrateLive": _Transition("os-migrateLive", _from("ACTIVE"), "migrating", "ACTIVE", "active", "MIGRATING"),
}
_ADMIN_ONLY = frozenset({"migrate", "os-migrateLive", "os-resetState"})


@SERVICE.route("POST", "/servers/{}/action", "server_action")
def server_action(request: Request) -> Response:
    """Do the one action that the body names."""
    row = find(request)
    kind, content = next(iter(request.document.items()), ("", None))
    if kind in _ADMIN_ONLY:
        request.need_admin(f"os_compute_api:{kind}")
    if row["locked"] and kind != "unlock" and not request.identity.admin:
        raise Fault(409, f"Instance {row['id']} is locked")
    transition = _TRANSITIONS.get(kind)
    if transition:
        _move(request, row, transition)
        return Response(status=204 if kind == "confirmResize" else 202)
    handler = _OTHERS.get(kind)
    if handler is None:
        raise Fault(400, f"There is no such action: {kind}")
    return handler(request, row, content if isinstance(content, dict) else {})


@SERVICE.route("GET", "/servers/{}/os-interface", "list_server_interfaces")
def list_interfaces(request: Request) -> Response:
    """List the ports that a server is plugged into."""
    ports = [row for row in request.cloud.store.rows("ports") if row["device_id"] == find(request)["id"]]
    shown = [
        {
            "port_id": port["id"],
            "net_id": port["network_id"],
            "mac_addr": port["mac_address"],
            "port_state": port["status"],
            "fixed_ips": port["fixed_ips"],
        }
        for port in ports
    ]
    return Response({"interfaceAttachments": shown})


def _need(row: Row, name: str, allowed: frozenset[str]) -> None:
    if row["status"] not in allowed:
        raise Fault(409, f"Cannot '{name}' instance {row['id']} while it is in vm_state {row['vm_state']}")
    if row["task_state"]:
        raise Fault(409, f"Cannot '{name}' instance {row['id']} while it is in task_state {row['task_state']}")


def _move(request: Request, row: Row, transition: _Transition) -> None:
    _need(row, transition.name, transition.allowed)
    then = {"status": transition.status, "vm_state": transition.vm_state}
    if transition.name == "confirmResize":
        life.change(request.cloud, row, **then, before_resize=None)
        return
    if transition.name == "migrate":
        row = row | {"before_resize": row["flavor"]}
    life.act(request.cloud, row, task=transition.task, then=then, during=transition.during)


def _create_image(request: Request, row: Row, content: dict[str, Any]) -> Response:
    _need(row, "createImage", _from("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"))
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Fault(400, f"Invalid input for field/attribute name. Value: {name}.")
    image = snapshots.reserve(request.cloud, row, name, content.get("metadata") or {})
    life.snapshot(request.cloud, row, image)
    location = f"{request.cloud.url}/image/v2/images/{image}"
    shown = {"image_id": image} if request.version >= (2, 45) else b""
    return Response(shown, 202, ((b"location", location.encode()),))


def _rebuild(request: Request, row: Row, content: dict[str, Any]) -> Response:
    _need(row, "rebuild", _from("ACTIVE", "SHUTOFF", "ERROR"))
    image = str(content.get("imageRef") or "").rpartition("/")[2]
    if request.cloud.store.get("images", image) is None:
        raise Fault(400, f"Image {image} could not be found.")
    then = {"status": "ACTIVE", "vm_state": "active", "image": image, "fault": None}
    name = str(content.get("name") or row["name"])
    life.act(request.cloud, row | {"name": name}, task="rebuilding", then=then, during="REBUILD")
    return Response({"server": {"id": row["id"], "name": name, "status": "REBUILD"}}, 202)


def _resize(request: Request, row: Row, content: dict[str, Any]) -> Response:
    _need(row, "resize", _from("ACTIVE", "SHUTOFF"))
    flavor = flavors.without_access(flavors.find(request.cloud, str(content.get("flavorRef"))))
    if flavor["id"] == row["flavor"]["id"]:
        raise Fault(400, "When resizing, instances must change flavor!")
    then = {"status": "VERIFY_RESIZE", "vm_state": "resized", "flavor": flavor}
    before = row | {"before_resize": row["flavor"]}
    life.act(request.cloud, before, task="resize_migrating", then=then, during="RESIZE")
    return Response(status=202)


def _revert_resize(request: Request, row: Row, _content: dict[str, Any]) -> Response:
    _need(row, "revertResize", _from("VERIFY_RESIZE"))
    then = {"status": "ACTIVE", "vm_state": "active", "flavor": row["before_resize"], "before_resize": None}
    life.act(request.cloud, row, task="resize_reverting", then=then, during="REVERT_RESIZE")
    return Response(status=202)


def _lock(request: Request, row: Row, _content: dict[str, Any]) -> Response:
    life.change(request.cloud, row, locked=True)
    return Response(status=202)


def _unlock(request: Request, row: Row, _content: dict[str, Any]) -> Response:
    life.change(request.cloud, row, locked=False)
    return Response(status=202)


def _force_delete(request: Request, row: Row, _content: dict[str, Any]) -> Response:
    if row["task_state"] != "deleting":
        life.delete(request.cloud, row)
    return Response(status=202)


def _reset_state(request: Request, row: Row, content: dict[str, Any]) -> Response:
    state = content.get("state")
    if state not in ("active", "error"):
        raise Fault(400, f"Invalid input for field/attribute state. Value: {state}.")
    life.change(request.cloud, row, status=state.upper(), vm_state=state, task_state=None)
    return Response(status=202)


def _console(_request: Request, row: Row, _content: dict[str, Any]) -> Response:
    return Response({"output": f"{row['name']} is simulated by the embedded cloud: it has no console\n"})


def _add_group(request: Request, row: Row, content: dict[str, Any]) -> Response:
    groups = [*row["security_groups"], str(content.get("name"))]
    life.change(request.cloud, row, security_groups=list(dict.fromkeys(groups)))
    return Response(status=202)


def _remove_group(request: Request, row: Row, content: dict[str, Any]) -> Response:
    groups = [name for name in row["security_groups"] if name != content.get("name")]
    life.change(request.cloud, row, security_groups=groups)
    return Response(status=202)


_OTHERS: dict[str, Callable[[Request, Row, dict[str, Any]], Response]] = {
    "createImage": _create_image,
    "rebuild": _rebuild,
    "resize": _resize,
    "revertResize": _revert_resize,
    "lock": _lock,
    "unlock": _unlock,
    "forceDelete": _force_delete,
    "os-resetState": _reset_state,
    "os-getConsoleOutput": _console,
    "addSecurityGroup": _add_group,
    "removeSecurityGroup": _remove_group,
}
