"""Servers."""

from __future__ import annotations

from typing import Any

from rallyflow.bench.actions.actor import Actor, FlavorId, ImageId, NetworkId, ServerId
from rallyflow.bench.actions.glance import wait_for_image
from rallyflow.bench.actions.registry import action
from rallyflow.bench.actions.waiting import wait_for
from rallyflow.clouds.transport import Reply
from rallyflow.errors import CloudAnswered

_COMPUTE = ("compute",)
_GONE = (404,)


@action("nova.boot_server", services=_COMPUTE)
def boot_server(
    actor: Actor, *, image: ImageId, flavor: FlavorId, network: NetworkId | None = None, wait: bool = True
) -> ServerId:
    """Boot a server and wait until it is ACTIVE.

    It gets `network`, or the first network that the context made for the tenant, or what Nova chooses.
    """
    server: dict[str, Any] = {"name": actor.name(), "imageRef": image, "flavorRef": flavor}
    chosen = network or (actor.networks[0] if actor.networks else None)
    if chosen:
        server["networks"] = [{"uuid": chosen}]
    made = actor.compute.post("/servers", {"server": server}).json()["server"]
    identity = ServerId(made["id"])
    if wait:
        _wait_for_status(actor, identity, "ACTIVE")
    return identity


@action("nova.delete_server", services=_COMPUTE)
def delete_server(actor: Actor, *, server: ServerId, force: bool = False) -> None:
    """Delete a server and wait until Nova no longer knows it."""
    if force:
        actor.compute.post(f"/servers/{server}/action", {"forceDelete": None}, accept=_GONE)
    else:
        actor.compute.delete(f"/servers/{server}", accept=_GONE)
    wait_for(lambda: _gone(actor, server), what=f"server {server} to be deleted", timeout=actor.wait_timeout)


@action("nova.get_server", services=_COMPUTE)
def get_server(actor: Actor, *, server: ServerId) -> None:
    """Show one server."""
    actor.compute.get(f"/servers/{server}").json()


@action("nova.list_servers", services=_COMPUTE)
def list_servers(actor: Actor, *, detailed: bool = True) -> None:
    """List the tenant's servers, all pages."""
    path: str | None = "/servers/detail" if detailed else "/servers"
    while path:
        page = actor.compute.get(path).json()
        path = _next(page, "servers_links", actor.compute.endpoint)


@action("nova.reboot_server", services=_COMPUTE)
def reboot_server(actor: Actor, *, server: ServerId, hard: bool = False) -> None:
    """Reboot a server and wait until it is ACTIVE."""
    _act(actor, server, {"reboot": {"type": "HARD" if hard else "SOFT"}}, "ACTIVE")


@action("nova.stop_server", services=_COMPUTE)
def stop_server(actor: Actor, *, server: ServerId) -> None:
    """Stop a server and wait until it is SHUTOFF."""
    _act(actor, server, {"os-stop": None}, "SHUTOFF")


@action("nova.start_server", services=_COMPUTE)
def start_server(actor: Actor, *, server: ServerId) -> None:
    """Start a stopped server and wait until it is ACTIVE."""
    _act(actor, server, {"os-start": None}, "ACTIVE")


@action("nova.pause_server", services=_COMPUTE)
def pause_server(actor: Actor, *, server: ServerId) -> None:
    """Pause a server and wait until it is PAUSED."""
    _act(actor, server, {"pause": None}, "PAUSED")


@action("nova.unpause_server", services=_COMPUTE)
def unpause_server(actor: Actor, *, server: ServerId) -> None:
    """Let a paused server go on and wait until it is ACTIVE."""
    _act(actor, server, {"unpause": None}, "ACTIVE")


@action("nova.create_image", services=("compute", "image"))
def create_image(actor: Actor, *, server: ServerId) -> ImageId:
    """Make a snapshot of a server and wait until the image is active, and Nova has done with the server.

    An image is active a moment before that; who deletes the server in between makes Nova remove the image again.
    """
    body = {"createImage": {"name": actor.name()}}
    reply = actor.compute.post(f"/servers/{server}/action", body, microversion="compute 2.45")
    image = _snapshot_id(reply)
    wait_for_image(actor, image)
    wait_for(lambda: _idle(actor, server), what=f"server {server} to be idle", timeout=actor.wait_timeout)
    return image


@action("nova.list_flavors", services=_COMPUTE)
def list_flavors(actor: Actor) -> None:
    """List flavors."""
    actor.compute.get("/flavors/detail").json()


def _act(actor: Actor, server: ServerId, body: dict[str, Any], status: str) -> None:
    actor.compute.post(f"/servers/{server}/action", body)
    _wait_for_status(actor, server, status)


def _wait_for_status(actor: Actor, server: ServerId, status: str) -> None:
    wait_for(
        lambda: _reached(actor, server, status),
        what=f"server {server} to be {status}",
        timeout=actor.wait_timeout,
    )


def _idle(actor: Actor, server: ServerId) -> bool | None:
    shown = actor.compute.get(f"/servers/{server}").json()["server"]
    return True if shown.get("OS-EXT-STS:task_state") is None else None


def _reached(actor: Actor, server: ServerId, status: str) -> bool | None:
    shown = actor.compute.get(f"/servers/{server}").json()["server"]
    if shown["status"] == "ERROR":
        fault = shown.get("fault") or {}
        raise CloudAnswered(f"server {server} went into ERROR: {fault.get('message', 'Nova does not say why')}")
    settled = shown["status"] == status and not shown.get("OS-EXT-STS:task_state")
    return True if settled else None


def _gone(actor: Actor, server: ServerId) -> bool | None:
    reply = actor.compute.get(f"/servers/{server}", accept=_GONE)
    if reply.status == 404:
        return True
    shown = reply.json()["server"]
    if shown["status"] in ("DELETED", "SOFT_DELETED"):
        return True
    if shown["status"] == "ERROR" and not shown.get("OS-EXT-STS:task_state"):
        raise CloudAnswered(f"server {server} could not be deleted: {_fault(shown)}")
    return None


def _fault(shown: dict[str, Any]) -> str:
    return str((shown.get("fault") or {}).get("message", "Nova does not say why"))


def _snapshot_id(reply: Reply) -> ImageId:
    if reply.body:
        return ImageId(reply.json()["image_id"])
    return ImageId(reply.headers()["location"].rstrip("/").rpartition("/")[2])


def _next(page: dict[str, Any], links: str, endpoint: str) -> str | None:
    """Return the path of the next page; Nova gives its whole address."""
    address = next((link["href"] for link in page.get(links, ()) if link["rel"] == "next"), None)
    if address is None:
        return None
    query = str(address).partition("?")[2]
    path = str(address).partition("?")[0]
    tail = path[len(endpoint) :] if path.startswith(endpoint) else "/" + "/".join(path.split("/")[4:])
    return f"{tail}?{query}" if query else tail
