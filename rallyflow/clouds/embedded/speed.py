"""How fast the simulated cloud is: what a workflow sets under `speed:` and `options:` of `deploy/embedded`.

Every stage is a number of workers with one queue in front of them and a distribution of service times, so
that response times follow from the load as they do in a real cloud. Times are seconds.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Annotated  # noqa: UP035 - pydantic resolves it on every Python that we support

from rallyflow.units import Duration, Percent, parse_duration


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(_Setting):
    """A distribution of times."""

    mean: Duration = Field(description="The average")
    distribution: Literal["constant", "uniform", "normal", "lognormal", "exponential"] = Field(
        default="constant", description="The shape"
    )
    spread: float = Field(
        default=0.25,
        ge=0,
        le=5,
        description="Standard deviation as a fraction of the mean; for uniform half of the width; unused for "
        "constant and exponential",
    )


def _bare_duration(value: Any) -> Any:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return {"mean": parse_duration(value)}
    return value


Time = Annotated[Latency, BeforeValidator(_bare_duration)]
"""A Latency; a bare duration such as `5ms` means that constant time."""


def _around(mean: float, spread: float = 0.25) -> Latency:
    return Latency(mean=mean, distribution="lognormal", spread=spread)


class Api(_Setting):
    """The API of one service."""

    workers: int = Field(default=8, ge=1, le=1000, description="Requests served at once; the rest wait in order")
    latency: Time = Field(default=_around(0.002), description="Service time of a call that has no time of its own")


class Compute(_Setting):
    """What the compute hosts do after the API has answered."""

    workers: int = Field(default=64, ge=1, le=10_000, description="Builds, deletions and snapshots at once")
    build: Time = Field(default=_around(0.09, 0.15), description="Time of building one server")
    delete: Time = Field(default=_around(0.045, 0.3), description="Time of deleting one server")
    snapshot: Time = Field(default=_around(0.08), description="Time of making an image of one server")
    action: Time = Field(default=_around(0.05), description="Time of a reboot, start, stop, resize, ...")


class Rpc(_Setting):
    """The message bus between the API and the compute hosts."""

    calls_per_build: int = Field(default=4, ge=0, le=1000, description="Calls that each build and each deletion makes")
    workers: int = Field(default=3, ge=1, le=1000, description="Calls served at once")
    time: Time = Field(default=Latency(mean=0.0047, distribution="exponential"), description="Time of one call")


class Storage(_Setting):
    """The volume backend."""

    workers: int = Field(default=4, ge=1, le=10_000, description="Volumes and snapshots made or removed at once")
    time: Time = Field(default=_around(0.06), description="Time of making or removing one")


# Chosen so that booting and deleting a server in a closed load shows what was once measured on a real cloud, at
# a hundredth of its times: with one reply queue it is faster below 8 users, and takes a third longer at 30.
FAST_RPC = Rpc(workers=1, time=Latency(mean=0.0021, distribution="exponential"))
SLOW_RPC = Rpc()

_CALLS = {
    "keystone.authenticate": _around(0.008),
    "nova.create_server": _around(0.006),
    "nova.delete_server": _around(0.003),
    "nova.list_servers": _around(0.006, 0.3),
    "glance.create_image": _around(0.006),
    "glance.upload_image": _around(0.02),
    "neutron.create_network": _around(0.01),
    "neutron.create_port": _around(0.008),
    "cinder.create_volume": _around(0.01),
}


class Speed(_Setting):
    """The whole model. The defaults are a brisk small cloud: a boot takes about an eighth of a second."""

    keystone: Api = Field(default=Api(workers=4), description="The identity API")
    nova: Api = Field(default=Api(), description="The compute API")
    glance: Api = Field(default=Api(workers=4), description="The image API")
    neutron: Api = Field(default=Api(workers=4), description="The network API")
    cinder: Api = Field(default=Api(workers=4), description="The volume API")
    calls: dict[str, Time] = Field(
        default_factory=dict,
        description="Service time by call, such as nova.create_server, where it is not that of its service",
    )
    compute: Compute = Field(default=Compute(), description="The compute hosts")
    rpc: Rpc = Field(default=SLOW_RPC, description="The message bus; the option fast_rpc replaces it")
    storage: Storage = Field(default=Storage(), description="The volume backend")
    list_cost_per_row: Time = Field(
        default=_around(0.0013, 0.4),
        description="What each row that a list call returns adds to its service time",
    )
    failure_rate: dict[str, Percent] = Field(
        default_factory=dict,
        description="Share that fails, by call (such as nova.create_server: HTTP 500) or for `build` (the "
        "server goes to ERROR) and `snapshot`",
    )

    token_lifetime: Duration = Field(default=86_400.0, description="How long a token is good for")

    @model_validator(mode="before")
    @classmethod
    def _usual_times(cls, value: Any) -> Any:
        """Give the calls their usual times, but for services whose own time is given."""
        if not isinstance(value, dict) or not isinstance(value.get("calls", {}), dict):
            return value
        given = {name for name, api in value.items() if isinstance(api, dict) and "latency" in api}
        usual = {call: time for call, time in _CALLS.items() if call.partition(".")[0] not in given}
        return value | {"calls": usual | value.get("calls", {})}

    @field_validator("calls", "failure_rate")
    @classmethod
    def _known_calls(cls, value: dict[str, Any], info: Any) -> dict[str, Any]:
        if value.keys() <= _CALLS.keys():
            return value  # without loading the services: a workflow is validated often
        from rallyflow.clouds.embedded.services import call_names

        known = {*call_names()} | ({"build", "snapshot"} if info.field_name == "failure_rate" else set())
        for name in sorted(value.keys() - known):
            close = get_close_matches(name, known, n=1, cutoff=0.4)
            raise PydanticCustomError(
                "unknown_call",
                "the embedded cloud has no call {name}{hint}",
                {"name": name, "hint": f"; did you mean {close[0]}?" if close else ""},
            )
        return value

    def of_call(self, service: str, name: str) -> Latency:
        """Return the service time of the call `service.name`."""
        full = f"{service}.{name}"
        api: Api = getattr(self, service)
        return self.calls.get(full) or api.latency


class Options(_Setting):
    """Switches of the cloud, as a real one has them in its configuration files."""

    fast_rpc: bool | None = Field(
        default=None,
        description="One reply queue for all calls: each call is shorter, but they wait for each other. "
        "Off: a queue per call. Not given: as speed.rpc says",
    )

    def applied_to(self, speed: Speed) -> Speed:
        """Return the speed of a cloud with these options."""
        if self.fast_rpc is None:
            return speed
        rpc = FAST_RPC if self.fast_rpc else SLOW_RPC
        calls = {"calls_per_build": speed.rpc.calls_per_build}
        return speed.model_copy(update={"rpc": rpc.model_copy(update=calls)})
