"""Who runs a scenario: a user of the cloud with what the contexts prepared for it. And the types of ids."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NewType

from rallyflow.clouds.rest import CloudSession, Service
from rallyflow.errors import InputsInvalid

ImageId = NewType("ImageId", str)
FlavorId = NewType("FlavorId", str)
ServerId = NewType("ServerId", str)
NetworkId = NewType("NetworkId", str)
SubnetId = NewType("SubnetId", str)
VolumeId = NewType("VolumeId", str)


class Actor:
    """What an action gets of the outside. `name()` gives a new name that cleanup recognises."""

    def __init__(
        self,
        session: CloudSession | None,
        name: Callable[[], str],
        *,
        networks: tuple[NetworkId, ...] = (),
        wait_timeout: float = 600.0,
    ) -> None:
        self.name = name
        self.networks = networks
        self.wait_timeout = wait_timeout  # seconds for an object to reach a state
        self._session = session

    @property
    def session(self) -> CloudSession:
        """The user's session; InputsInvalid when the step names no cloud."""
        if self._session is None:
            raise InputsInvalid("this scenario needs a cloud", hint="give the step `cloud:`")
        return self._session

    @cached_property
    def compute(self) -> Service:
        """Nova."""
        return self.session.service("compute")

    @cached_property
    def image(self) -> Service:
        """Glance."""
        return self.session.service("image")

    @cached_property
    def network(self) -> Service:
        """Neutron."""
        return self.session.service("network")

    @cached_property
    def block_storage(self) -> Service:
        """Cinder."""
        return self.session.service("block-storage")
