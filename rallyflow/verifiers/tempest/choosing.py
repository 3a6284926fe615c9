"""Chooses what tests boot among what the cloud has, and makes what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
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
    named = [_found("image", name, known) if name else None for name in (inputs.image, inputs.image_alt)]
    ours = "" if inputs.isolate else facts.project
    bootable = [image for image in known if image.public or (ours and image.owner == ours)]

    def make(number: int, _first: Image | str | None) -> str:
        with _opened(inputs) as (file, size):
            return make_image(session, f"{prefix}image-{number}", file, size)

    return _seated(named, bootable, make if inputs.create else None)


def _flavors(
    facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str, need: _Need
) -> list[Flavor | str]:
    """Return the two flavors: those named, and then the least that the images fit in; others only if none is made."""
    if not facts.has("compute"):
        return []
    known = sorted(
        facts.flavors, key=lambda each: (not need.met_by(each), not each.disk, each.ram, each.disk, each.name)
    )
    named = [_found("flavor", name, known) if name else None for name in (inputs.flavor, inputs.flavor_alt)]
    fitting = [each for each in known if need.met_by(each) or not inputs.create]

    def make(number: int, first: Flavor | str | None) -> str:
        ram, disk = (first.ram, first.disk) if isinstance(first, Flavor) else (max(128, need.ram), need.disk)
        ram = max(ram * (1 + number), need.ram)
        return make_flavor(session, f"{prefix}flavor-{number}", ram, max(disk, need.disk))

    return _seated(named, fitting, make if inputs.create else None)


def _seated(
    named: Sequence[T | None], others: Sequence[T], make: Callable[[int, T | str | None], str] | None
) -> list[T | str]:
    """Return what is named in its own place, and in the places that are free one of the others, or a new one.

    `make` gets the number of the place and what is in the first one; without it, a place may stay empty.
    """
    rest = iter([each for each in others if each not in named])
    seats: list[T | str] = []
    for number, each in enumerate(named):
        found: T | str | None = each or next(rest, None)
        if found is None and make:
            found = make(number, seats[0] if seats else None)
        if found is not None:
            seats.append(found)
    return seats


def _pair(chosen: Sequence[_Named | str]) -> tuple[str, str]:
    ids = [each if isinstance(each, str) else each.id for each in chosen]
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
