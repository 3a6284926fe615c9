"""Images."""

from __future__ import annotations

from pathlib import Path

from rallyflow.bench.actions.actor import Actor, ImageId
from rallyflow.bench.actions.registry import action
from rallyflow.bench.actions.waiting import wait_for
from rallyflow.errors import CloudAnswered, InputsInvalid

_IMAGE = ("image",)
_GONE = (404,)


@action("glance.create_image", services=_IMAGE)
def create_image(
    actor: Actor,
    *,
    file: str = "",
    size: int = 1024,
    disk_format: str = "raw",
    container_format: str = "bare",
    visibility: str = "private",
) -> ImageId:
    """Register an image, upload its data, and wait until it is active.

    The data is the file, or `size` zero bytes.
    """
    body = {
        "name": actor.name(),
        "disk_format": disk_format,
        "container_format": container_format,
        "visibility": visibility,
    }
    image = ImageId(actor.image.post("/images", body).json()["id"])
    upload_data(actor, image, file, size)
    wait_for_image(actor, image)
    return image


def upload_data(actor: Actor, image: ImageId, file: str, size: int) -> None:
    """Upload a file, or `size` zero bytes; InputsInvalid when the file can't be read."""
    path = f"/images/{image}/file"
    if not file:
        actor.image.upload(path, bytes(size), size)
        return
    try:
        with Path(file).open("rb") as data:
            actor.image.upload(path, data, Path(file).stat().st_size)
    except OSError as error:
        raise InputsInvalid(f"can't read the image {file}: {error.strerror}") from error


@action("glance.list_images", services=_IMAGE)
def list_images(actor: Actor) -> None:
    """List images, all pages."""
    path: str | None = "/images"
    while path:
        page = actor.image.get(path).json()
        path = page["next"].removeprefix("/v2") if page.get("next") else None


@action("glance.get_image", services=_IMAGE)
def get_image(actor: Actor, *, image: ImageId) -> None:
    """Show one image."""
    actor.image.get(f"/images/{image}").json()


@action("glance.delete_image", services=_IMAGE)
def delete_image(actor: Actor, *, image: ImageId) -> None:
    """Delete an image and wait until Glance no longer knows it."""
    actor.image.delete(f"/images/{image}", accept=_GONE)
    if not _gone(actor, image):
        wait_for(lambda: _gone(actor, image), what=f"image {image} to be deleted", timeout=actor.wait_timeout)


def wait_for_image(actor: Actor, image: ImageId) -> None:
    """Wait until an image is active; looks at once, since an upload usually ends with it."""
    if not _active(actor, image):
        wait_for(lambda: _active(actor, image), what=f"image {image} to be active", timeout=actor.wait_timeout)


def _active(actor: Actor, image: ImageId) -> bool | None:
    status = actor.image.get(f"/images/{image}").json()["status"]
    if status in ("killed", "deleted", "pending_delete"):
        raise CloudAnswered(f"image {image} went into the state {status!r}")
    return True if status == "active" else None


def _gone(actor: Actor, image: ImageId) -> bool | None:
    reply = actor.image.get(f"/images/{image}", accept=_GONE)
    return True if reply.status == 404 or reply.json()["status"] == "deleted" else None
