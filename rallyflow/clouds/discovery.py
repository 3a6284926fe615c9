"""What a cloud has to offer: its services with their API versions, images, flavors and networks, as one asks for them.

It sees what the identity may see; a service that does not answer is said to, and hinders no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import Field

from rallyflow.clouds.resources import KINDS, listed
from rallyflow.clouds.rest import CloudSession, Service
from rallyflow.errors import NotFound, StepError
from rallyflow.model.values import Value

V = TypeVar("V")

_VERSION = re.compile(r"/v\d+(\.\d+)?(/.*)?$")


class FoundService(Value):
    """A service of the catalogue."""

    type: str = Field(description="Such as `compute`")
    endpoint: str = Field(description="Where it answers")
    versions: tuple[str, ...] = Field(default=(), description="Versions of its API")
    microversions: str = Field(default="", description="The lowest and the highest, as `2.1-2.93`; empty: none")
    error: str = Field(default="", description="Why it could not be asked")


class FoundImage(Value):
    """An image."""

    id: str
    name: str
    status: str
    visibility: str
    disk_format: str
    size: int = Field(description="Bytes")
    min_disk: int = Field(description="GiB")
    min_ram: int = Field(description="MiB")


class FoundFlavor(Value):
    """A flavor."""

    id: str
    name: str
    vcpus: int
    ram: int = Field(description="MiB")
    disk: int = Field(description="GiB")


class FoundNetwork(Value):
    """A network."""

    id: str
    name: str
    external: bool
    shared: bool
    subnets: int


class Discovery(Value):
    """What was found."""

    auth_url: str
    region: str
    services: tuple[FoundService, ...]
    images: tuple[FoundImage, ...]
    flavors: tuple[FoundFlavor, ...]
    networks: tuple[FoundNetwork, ...]
    errors: tuple[str, ...] = Field(default=(), description="What could not be listed, and why")


def discover(session: CloudSession, types: Iterable[str]) -> Discovery:
    """Ask a cloud; `types` are the services of its catalogue. Raises when it can't be signed in to."""
    session.sign_in()
    errors: list[str] = []

    def all_of(kind: str, shape: Callable[[Mapping[str, Any]], V]) -> tuple[V, ...]:
        if not session.has(KINDS[kind].service):
            return ()
        try:
            return tuple(shape(entry) for entry in listed(session, KINDS[kind]))
        except StepError as error:
            errors.append(f"{kind}s: {error.what}")
            return ()

    return Discovery(
        auth_url=str(session.login.auth.get("auth_url", "")),
        region=session.login.region,
        services=tuple(_service(session, kind) for kind in sorted(types)),
        images=all_of("image", _image),
        flavors=tuple(_flavors(session, errors)),
        networks=all_of("network", _network),
        errors=tuple(errors),
    )


def _service(session: CloudSession, kind: str) -> FoundService:
    """Ask for the version document, which stands above the versions and needs no rights."""
    try:
        endpoint = session.service(kind).endpoint
    except StepError as error:
        return FoundService(type=kind, endpoint="", error=error.what)
    try:
        versions = _versions(Service(session, _VERSION.sub("", endpoint)).get("/").json())
    except NotFound:  # such as object storage, which has one version and no document about it
        return FoundService(type=kind, endpoint=endpoint)
    except (StepError, ValueError) as error:
        return FoundService(type=kind, endpoint=endpoint, error=str(error))
    ranges = [(each.get("min_version"), each.get("max_version") or each.get("version")) for each in versions]
    return FoundService(
        type=kind,
        endpoint=endpoint,
        versions=tuple(str(each.get("id", "")) for each in versions),
        microversions=next((f"{low}-{high}" for low, high in ranges if low and high), ""),
    )


def _versions(document: Any) -> list[Mapping[str, Any]]:
    """Return the versions in a version document of any of the services."""
    if not isinstance(document, Mapping):
        return []
    found = document.get("versions", document.get("version", []))
    found = found.get("values", [found]) if isinstance(found, Mapping) else found
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _flavors(session: CloudSession, errors: list[str]) -> list[FoundFlavor]:
    if not session.has("compute"):
        return []
    try:
        found = session.service("compute").get("/flavors/detail").json()["flavors"]
    except StepError as error:
        errors.append(f"flavors: {error.what}")
        return []
    return [FoundFlavor(**{key: entry[key] for key in FoundFlavor.model_fields}) for entry in found]


def _image(entry: Mapping[str, Any]) -> FoundImage:
    return FoundImage(
        id=entry["id"],
        name=entry.get("name") or "",
        status=entry["status"],
        visibility=entry.get("visibility", ""),
        disk_format=entry.get("disk_format") or "",
        size=entry.get("size") or 0,
        min_disk=entry.get("min_disk", 0),
        min_ram=entry.get("min_ram", 0),
    )


def _network(entry: Mapping[str, Any]) -> FoundNetwork:
    return FoundNetwork(
        id=entry["id"],
        name=entry.get("name") or "",
        external=bool(entry.get("router:external")),
        shared=bool(entry.get("shared")),
        subnets=len(entry.get("subnets", ())),
    )
