"""Addresses of services that an entry of clouds.yaml puts in place of the catalogue's: `compute_endpoint_override` etc.

They mean what openstacksdk takes them for: any name that a service has had counts (`volumev3_endpoint_override` is of
block storage), `%(project_id)s` and `%(user_id)s` are filled in, and an address without a version leads to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rallyflow.errors import InputsInvalid

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

_VERSIONED = re.compile(r"/v\d+(\.\d+)?(/|$)")


def official(kind: str) -> str:
    """Return the official type of a service that is named by any of its types, as in `volumev3` or `block_storage`."""
    from os_service_types import ServiceTypes

    return str(ServiceTypes().get_service_type(kind) or kind)


def overrides_of(region: CloudRegion) -> dict[str, str]:
    """Return the addresses that an entry gives, by the official types of their services."""
    kinds = dict.fromkeys(_kinds(region.config))
    return {kind: address for kind in kinds if (address := region.get_endpoint(kind))}


def _kinds(config: Mapping[str, Any]) -> Iterator[str]:
    from os_service_types import ServiceTypes

    types = ServiceTypes()
    for key in config:
        name, _, rest = key.partition("_endpoint")
        kind = name.replace("_", "-")
        if name and (rest == "_override" or (not rest and types.is_known(kind))):
            yield official(kind)


def filled(address: str, known: Mapping[str, str]) -> str:
    """Return an address with what it leaves open; InputsInvalid when that is nothing which is known."""
    if "%(" not in address:
        return address
    try:
        return address % known
    except (KeyError, TypeError, ValueError) as error:
        raise InputsInvalid(
            f"the endpoint override {address} can't be filled in: {error}",
            hint="%(project_id)s and %(user_id)s are known",
        ) from error


def has_version(address: str) -> bool:
    """Whether an address leads to one version of an API."""
    return _VERSIONED.search(address) is not None
