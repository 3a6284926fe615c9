"""Chooses what tests boot among what the cloud has, and makes what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
    image, image_alt = _images(facts, inputs, session, prefix)
    flavor, flavor_alt = _flavors(facts, inputs, session, prefix)
    if inputs.network:
        _found("network", inputs.network, facts.networks)
    return Refs(image, image_alt, flavor, flavor_alt, inputs.network)


def _images(facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str) -> tuple[str, str]:
    if not facts.has("image"):
        return "", ""
    known = sorted(facts.images, key=lambda image: (image.size, image.name))
    chosen: list[Image | str] = [_found("image", name, known) for name in (inputs.image, inputs.image_alt) if name]
    chosen += [image for image in known if image not in chosen]
    while len(chosen) < 2 and inputs.create:
        with _opened(inputs) as (file, size):
            chosen.append(make_image(session, f"{prefix}image-{len(chosen)}", file, size))
    return _pair(chosen)


def _flavors(facts: Facts, inputs: TempestInputs, session: CloudSession, prefix: str) -> tuple[str, str]:
    if not facts.has("compute"):
        return "", ""
    known = sorted(facts.flavors, key=lambda flavor: (flavor.ram, flavor.disk, flavor.name))
    chosen: list[Flavor | str] = [_found("flavor", name, known) for name in (inputs.flavor, inputs.flavor_alt) if name]
    chosen += [flavor for flavor in known if flavor not in chosen]
    while len(chosen) < 2 and inputs.create:
        first = chosen[0] if chosen else None
        ram, disk = (first.ram * 2, max(1, first.disk)) if isinstance(first, Flavor) else (128 * (1 + len(chosen)), 1)
        chosen.append(make_flavor(session, f"{prefix}flavor-{len(chosen)}", ram, disk))
    return _pair(chosen)


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
