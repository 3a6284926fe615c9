"""Chooses what tests boot among what the cloud has, and makes what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar

from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import NotFound
from rallyflow.hints import did_you_mean
from rallyflow.verifiers.tempest.conf import Refs
from rallyflow.verifiers.tempest.facts import Facts, Flavor, Image
from rallyflow.verifiers.tempest.inputs import TempestInputs
from rallyflow.verifiers.tempest.workspace import make_flavor, make_image


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


def choose(facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str) -> Refs:
    """Return what tests boot, made where it is missing and `create` allows it. Raises NotFound for an unknown name.

    What is made is named after `prefix`, which the ledger has before anything is made.
    """
    images = _images(facts, inputs, session, prefix)
    flavors = _flavors(facts, inputs, session, prefix, _Need.of(images))
    if inputs.network:
        _found("network", inputs.network, facts.networks)
    return Refs(*_pair(images), *_pair(flavors), inputs.network)


@dataclass(frozen=True, slots=True)
class _Need:
    """What a flavor must have at least, to boot the images."""

    ram: int  # MB
    disk: int  # GB; never 0, as such flavors boot images for admins alone

    @classmethod
    def of(cls, images: Sequence[Image | str]) -> _Need:
        known = [image for image in images if isinstance(image, Image)]
        return cls(max((i.min_ram for i in known), default=0), max((i.min_disk for i in known), default=1) or 1)

    def met_by(self, flavor: Flavor) -> bool:
        return flavor.ram >= self.ram and flavor.disk >= self.disk


def _images(facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str) -> list[Image | str]:
    """Return the two images: those named, whosever they are, and then those that the tests' users may boot."""
    if not facts.has("image"):
        return []
    known = sorted(facts.images, key=lambda image: (not image.public, not image.size, image.size, image.name))
    chosen: list[Image | str] = [_found("image", name, known) for name in (inputs.image, inputs.image_alt) if name]
    ours = "" if inputs.isolate else facts.project
    chosen += [image for image in known if image not in chosen and (image.public or (ours and image.owner == ours))]
    while len(chosen) < 2 and inputs.create:
        with _opened(inputs) as (file, size):
            chosen.append(make_image(session, f"{prefix}image-{len(chosen)}", file, size))
    return chosen[:2]


def _flavors(
    facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str, need: _Need
) -> list[Flavor | str]:
    """Return the two flavors: those named, and then the least that the images fit in; others only if none is made."""
    if not facts.has("compute"):
        return []
    known = sorted(
        facts.flavors, key=lambda each: (not need.met_by(each), not each.disk, each.ram, each.disk, each.name)
    )
    chosen: list[Flavor | str] = [_found("flavor", name, known) for name in (inputs.flavor, inputs.flavor_alt) if name]
    chosen += [each for each in known if each not in chosen and (need.met_by(each) or not inputs.create)]
    while len(chosen) < 2 and inputs.create:
        first = chosen[0] if chosen else None
        ram, disk = (first.ram, first.disk) if isinstance(first, Flavor) else (max(128, need.ram), need.disk)
        ram = max(ram * (1 + len(chosen)), need.ram)
        chosen.append(make_flavor(session, f"{prefix}flavor-{len(chosen)}", ram, max(disk, need.disk)))
    return chosen[:2]


def _pair(chosen: Sequence[_Named | str]) -> tuple[str, str]:
    ids = [each if isinstance(each, str) else each.id for each in chosen[:2]]
    return (ids[0], ids[-1]) if ids else ("", "")


def _found(kind: str, wanted: str, known: Sequence[T]) -> T:
    for each in known:
        if wanted in (each.id, each.name):
            return each
    raise NotFound(f"there is no {kind} {wanted!r}", hint=did_you_mean(wanted, [each.name for each in known]))


@contextlib.contextmanager
def _opened(inputs: TempestInputs) -> Iterator[tuple[BinaryIO | None, int]]:
    if inputs.image_file is None:
        yield None, 0
        return
    try:
        with inputs.image_file.open("rb") as file:
            yield file, inputs.image_file.stat().st_size
    except OSError as error:
        raise NotFound(f"the image {inputs.image_file} can't be read: {error.strerror}") from error
