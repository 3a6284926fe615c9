"""What a cloud gets so that something can be booted in it, as far as it is not there: an image, flavors, a network.

Each is booked in the ledger, so that it goes with the cloud, or with the run where the cloud stays. Until the cloud has
answered, what identifies it is an id that is chosen here, or our tag: never the name, which others may have used, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import Field, field_validator

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.resources import KINDS, listed
from rallyflow.errors import InputsInvalid
from rallyflow.model.step import StepContext, StepModel
from rallyflow.model.values import Cloud

_CONTENT = b"\0" * 4096
_MEMORY = 64  # MiB of the first flavor


class Base(StepModel):
    """What a cloud gets, so that something can be booted in it; what it has under that name is left as it is."""

    image: str = Field("cirros", description="Name of a public image; empty: none")
    image_file: Path | None = Field(
        None, description="The image's content; without it, 4 KiB that boot nothing, which is enough for fake servers"
    )
    disk_format: Literal["raw", "qcow2"] = Field("raw", description="The format of image_file")
    flavors: tuple[str, ...] = Field(
        ("m1.tiny", "m1.small"),
        description="Names of flavors; each has twice the memory of the one before, from 64 MiB",
    )
    network: str = Field("public", description="Name of an external network with 203.0.113.0/24; empty: none")
    physical_network: str = Field("", description="Flat provider network that it is; empty: the one of the same name")

    @field_validator("image_file")
    @classmethod
    def _is_wherever_the_step_runs(cls, value: Path | None) -> Path | None:
        return value.absolute() if value else None


class _Maker:
    """Makes what is missing in one cloud."""

    def __init__(self, cloud: Cloud, base: Base, context: StepContext) -> None:
        self._base = base
        self._session = sign_in(cloud)
        self._context = context
        self._cloud = cloud

    def image(self) -> None:
        """Make the image. The upload comes last, and is what an attempt that was cut off may lack."""
        base, image = self._base, self._session.service("image")
        form = {"disk_format": base.disk_format if base.image_file else "raw", "container_format": "bare"}
        if not self._has("image", base.image):
            chosen = str(uuid4())
            with self._booked("image", base.image, {"id": chosen}) as created:
                image.post("/images", {"id": chosen, "name": base.image, "visibility": "public", **form})
                created(chosen)
        ours = {row.detail.get("id") for row in self._context.ledger.open()}
        for each in self._listed("image"):
            if each["id"] in ours and each["status"] == "queued":
                self._upload(f"/images/{each['id']}/file")

    def flavors(self) -> None:
        """Make the flavors. Their disks are not empty: for those nova wants a volume."""
        compute = self._session.service("compute")
        for step, name in enumerate(self._base.flavors):
            if not self._has("flavor", name):
                chosen = str(uuid4())
                body = {"id": chosen, "name": name, "ram": _MEMORY << step, "vcpus": 1, "disk": 1}
                with self._booked("flavor", name, {"id": chosen}) as created:
                    created(compute.post("/flavors", {"flavor": body}).json()["flavor"]["id"])

    def network(self) -> None:
        """Make the network with its subnet. Neutron chooses the ids; its description says that it is ours."""
        name, tag, network = self._base.network, self._context.tag, self._session.service("network")
        body = {
            "name": name,
            "description": tag,
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": self._base.physical_network or name,
        }
        if not self._has("network", name):
            with self._booked("network", name, {"description": tag}) as created:
                created(network.post("/networks", {"network": body}).json()["network"]["id"])
        for each in self._listed("network"):
            if each["name"] == name and each.get("description") == tag and not each["subnets"]:
                subnet = {"network_id": each["id"], "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": False}
                network.post("/subnets", {"subnet": {"name": name, **subnet}})

    @contextmanager
    def _booked(self, kind: str, name: str, identity: Mapping[str, str]) -> Iterator[Callable[[str], None]]:
        """Book that an object is about to be made, with what will identify it; gives what books that it is made."""
        detail = {"cloud": self._cloud.model_dump(mode="json"), **identity}
        ledger = self._context.ledger
        row = ledger.intend(f"openstack.{kind}", name, inside=self._cloud.ledger_id, detail=detail)
        yield lambda external_id: ledger.created(row, external_id)

    def _has(self, kind: str, name: str) -> bool:
        return any(each.get("name") == name for each in self._listed(kind))

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        return list(listed(self._session, KINDS[kind]))

    def _upload(self, path: str) -> None:
        image, file = self._session.service("image"), self._base.image_file
        if file is None:
            image.upload(path, _CONTENT, len(_CONTENT))
            return
        with file.open("rb") as content:
            image.upload(path, content, file.stat().st_size)


def make_base(cloud: Cloud, base: Base, context: StepContext) -> None:
    """Make what is not there yet; `check_base` comes before all else that is made. Raises the errors of a cloud."""
    maker = _Maker(cloud, base, context)
    if base.image:
        maker.image()
    maker.flavors()
    if base.network:
        maker.network()


def check_base(base: Base) -> None:
    """Raise InputsInvalid when the image file can't be read, or is empty."""
    if base.image_file is None:
        return
    try:
        with base.image_file.open("rb") as file:
            if file.read(1):
                return
    except OSError as error:
        what = f"image_file {base.image_file} can't be read: {error.strerror}"
        raise InputsInvalid(what, hint="a path counts from where rallyflow is run") from error
    raise InputsInvalid(f"image_file {base.image_file} is empty", hint="did its download fail?")
