"""What a workflow says about a cloud from Debian packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from rallyflow.clouds.base import Base
from rallyflow.deployers.debian.layout import Role
from rallyflow.deployers.debian.site import PORTS
from rallyflow.model.step import StepModel
from rallyflow.model.values import Cloud, Servers
from rallyflow.units import Duration

Scalar = str | int | float | bool
ConfigOf = dict[str, dict[str, Scalar | tuple[Scalar, ...]]]
Configured = Literal[
    "keystone",
    "placement",
    "glance",
    "nova",
    "neutron",
    "ml2",
    "linuxbridge",
    "openvswitch",
    "cinder",
    "heat",
    "swift",
    "swift-proxy",
    "swift-account",
    "swift-container",
    "swift-object",
    "uwsgi",
    "mariadb",
    "rabbitmq",
]
"""What `config` can name: the services' main files, and those of what they stand on."""

_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "rabbitmq": ("DEFAULT",),
    "uwsgi": tuple(name for name in PORTS if name != "swift-proxy"),
}
"""What has no other sections than these."""


class Services(StepModel):
    """Services that not every cloud has."""

    heat: bool = Field(False, description="Orchestration")
    swift: bool = Field(False, description="Object storage: one device, one replica, in a folder of the controller")


class DebianInputs(StepModel):
    """The file's `with:`: `servers` for a new cloud, or `cloud` to change the options of one."""

    servers: Servers = Field(default=(), description="Where to build it")
    roles: dict[Role, int | tuple[str, ...]] = Field(
        default_factory=dict,
        description="Role to how many servers, taken in their order, or to their names; without it each server's own "
        "role counts, and a single server without one gets all. Several controllers share the requests to the APIs; "
        "the first has the database, the message queue and the load balancer",
    )
    cloud: Cloud | None = Field(
        default=None,
        description="A cloud that an earlier step has built: its options are set to `config` on top of those that it "
        "was built with, and what has changed is started again",
    )
    services: Services = Field(default_factory=Services, description="Services on top of those that every cloud has")
    driver: Literal["fake", "libvirt"] = Field("fake", description="What nova-compute starts servers with")
    virt_type: Literal["qemu", "kvm"] = Field("qemu", description="What libvirt runs; qemu needs no hardware for it")
    volume_driver: Literal["fake", "lvm"] = Field("fake", description="What cinder-volume makes volumes with")
    volume_group: str = Field(
        "cinder-volumes",
        pattern=r"^([A-Za-z0-9_.+][A-Za-z0-9_.+-]*|\$\{\{.*\}\})$",
        description="With `lvm`: the volume group, which has to be there on each storage server",
    )
    network_driver: Literal["linuxbridge", "openvswitch"] = Field(
        "linuxbridge",
        description="What neutron binds ports with; `openvswitch` takes the datapath of the kernel where a server has "
        "it, else that of userspace",
    )
    config: dict[Configured, ConfigOf] = Field(
        default_factory=dict, description="Service to section to option to value; a list gives an option several times"
    )
    region: str = Field("RegionOne", pattern=r"^([A-Za-z0-9_-]+|\$\{\{.*\}\})$", description="Name of the region")
    network: str = Field("", description="Which of the servers' networks the services speak over; default: their hosts")
    take_over: bool = Field(
        False,
        description="Take over a deployment of another run that is on the servers, such as one that came with a golden "
        "image: what it holds stays, its passwords and addresses become those of this one",
    )
    base: Base = Field(default_factory=Base, description="What a fresh cloud gets: an image, flavors, a network")
    unit_timeout: Duration = Field(
        default=900.0, gt=0, description="For each service, until it answers; generous, since a busy machine is slow"
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if bool(self.servers) == (self.cloud is not None):
            raise ValueError("give either `servers` or `cloud`")
        given = self.model_fields_set - {"cloud", "config", "unit_timeout"}
        if self.cloud is not None and given:
            names = "`, `".join(sorted(given))
            raise ValueError(f"`{names}` can't change in a cloud that is there: only `config` can")
        return self

    @model_validator(mode="after")
    def _finds_its_objects(self) -> Self:
        """Swift places objects by a secret of its deployment, which a clone does not have."""
        if self.take_over and self.services.swift:
            raise ValueError("`take_over` can't keep the objects of `swift`: make that cloud without a golden image")
        return self

    @field_validator("config", mode="after")
    @classmethod
    def _has_an_effect(cls, config: dict[Configured, ConfigOf]) -> dict[Configured, ConfigOf]:
        for service, sections in config.items():
            known = _SECTIONS.get(service)
            unknown = [section for section in sections if known and section not in known]
            if unknown:
                hint = f"`{service}` has only {', '.join(known or ())}"
                raise PydanticCustomError("unknown_section", f"there is no `{unknown[0]}` in it: {hint}")
            for option, value in _options_of(sections):
                if any("\n" in str(line) for line in (value if isinstance(value, tuple) else (value,))):
                    raise PydanticCustomError(
                        "several_lines", f"`{option}` has several lines; a list gives it several times"
                    )
        if "compute_driver" in config.get("nova", {}).get("DEFAULT", {}):
            raise PydanticCustomError("driver", "`compute_driver` follows from `driver` of the step: set that")
        return config

    @field_validator("roles", mode="after")
    @classmethod
    def _has_a_controller(cls, roles: dict[Role, int | tuple[str, ...]]) -> dict[Role, int | tuple[str, ...]]:
        if roles and not roles.get(Role.CONTROLLER):
            raise PydanticCustomError("no_controller", "a cloud needs at least one `controller` among its roles")
        if any(isinstance(value, int) and value < 0 for value in roles.values()):
            raise PydanticCustomError("negative_count", "a role is played by no fewer than 0 servers")
        return roles


def _options_of(sections: ConfigOf) -> Iterator[tuple[str, Scalar | tuple[Scalar, ...]]]:
    return (pair for options in sections.values() for pair in options.items())


def deployment_folder(cloud: Cloud) -> Path:
    """Return the folder with all that is known about a cloud that this engine has built."""
    return cloud.clouds_yaml.parent
