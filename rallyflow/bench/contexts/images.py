"""Images for the load, uploaded once and seen by every tenant."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rallyflow.bench.actions.actor import Actor, ImageId
from rallyflow.bench.actions.glance import upload_data, wait_for_image
from rallyflow.bench.contexts.scene import Context, Scene
from rallyflow.model.step import StepModel


class ImageSpec(StepModel):
    """One image."""

    file: str = Field(default="", description="Its data; without it, `size` zero bytes")
    size: int = Field(default=1024, ge=0, description="Bytes of an image without a file")
    disk_format: str = Field(default="raw", description="qcow2, raw, ...")
    container_format: str = Field(default="bare", description="bare, ...")
    min_disk: int = Field(default=0, ge=0, description="GiB that a flavor must have")
    min_ram: int = Field(default=0, ge=0, description="MiB that a flavor must have")


class Images(Context):
    """Uploads public images; `args: {image: {name: NAME}}` finds them by the names given here."""

    order: ClassVar[int] = 410

    images: dict[str, ImageSpec] = Field(min_length=1, description="The images by the names used in args")

    def set_up(self, scene: Scene) -> None:
        """Upload the images."""
        for name, spec in self.images.items():
            scene.prepared[f"Image:{name}"] = scene.make("image", f"image-{name}", self._poster(scene, spec))

    def _poster(self, scene: Scene, spec: ImageSpec):  # type: ignore[no-untyped-def]  # noqa: ANN202
        actor = Actor(scene.admin, lambda: "")

        def post(name: str) -> str:
            body = spec.model_dump(exclude={"file", "size"}) | {"name": name, "visibility": "public"}
            image = ImageId(actor.image.post("/images", body).json()["id"])
            upload_data(actor, image, spec.file, spec.size)
            wait_for_image(actor, image)
            return image

        return post
