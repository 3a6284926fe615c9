"""Flavors for the load."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from rallyflow.bench.contexts.scene import Context, Scene
from rallyflow.model.step import StepModel


class FlavorSpec(StepModel):
    """One flavor."""

    ram: int = Field(ge=1, description="MiB of memory")
    vcpus: int = Field(default=1, ge=1, description="Virtual CPUs")
    disk: int = Field(default=0, ge=0, description="GiB of the root disk")


class Flavors(Context):
    """Makes public flavors; `args: {flavor: {name: NAME}}` finds them by the names given here."""

    order: ClassVar[int] = 340

    flavors: dict[str, FlavorSpec] = Field(min_length=1, description="The flavors by the names used in args")

    def set_up(self, scene: Scene) -> None:
        """Make the flavors."""
        for name, spec in self.flavors.items():
            made = scene.make("flavor", f"flavor-{name}", lambda full, spec=spec: _post(scene, full, spec))  # type: ignore[misc]
            scene.prepared[f"Flavor:{name}"] = made


def _post(scene: Scene, name: str, spec: FlavorSpec) -> str:
    body: dict[str, Any] = {"name": name, **spec.model_dump()}
    made = scene.admin.service("compute").post("/flavors", {"flavor": body})
    return str(made.json()["flavor"]["id"])
