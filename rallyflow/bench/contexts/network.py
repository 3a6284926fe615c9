"""Networks of the tenants, which servers are then connected to."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, ClassVar

from pydantic import Field, field_validator

from rallyflow.bench.contexts.scene import Context, Scene, Tenant, in_parallel
from rallyflow.clouds.rest import Service
from rallyflow.errors import NotFound
from rallyflow.model.step import StepModel


class Router(StepModel):
    """A router for each tenant."""

    external: bool = Field(default=True, description="Whether it gets a gateway to the external network")


class Network(Context):
    """Makes networks with subnets in every tenant; servers of the load are connected to the first one."""

    order: ClassVar[int] = 350

    networks_per_tenant: int = Field(default=1, ge=1, description="How many networks in each tenant")
    subnets_per_network: int = Field(default=1, ge=0, description="How many subnets in each network")
    start_cidr: str = Field(default="10.2.0.0/24", description="The first subnet; others follow it")
    router: Router | None = Field(default=None, description="A router for each tenant, on all its subnets")

    @field_validator("start_cidr")
    @classmethod
    def _is_cidr(cls, value: str) -> str:
        ip_network(value)
        return value

    def set_up(self, scene: Scene) -> None:
        """Make the networks of every tenant."""
        network = scene.admin.service("network")
        gateway = self._external(network) if self.router and self.router.external else None
        in_parallel(lambda turn: self._tenant(scene, *turn, gateway), enumerate(scene.tenants))

    def _tenant(self, scene: Scene, number: int, tenant: Tenant, gateway: str | None) -> None:
        subnets = []
        for count in range(self.networks_per_tenant):
            body = {"project_id": tenant.id}
            made = self._make(scene, "network", f"network-{number}-{count}", body)
            tenant.networks.append(made)
            places = [(number, count, index) for index in range(self.subnets_per_network)]
            subnets += [self._subnet(scene, tenant, made, place) for place in places]
        if self.router is not None:
            self._router(scene, tenant, number, subnets, gateway)

    def _subnet(self, scene: Scene, tenant: Tenant, network: str, place: tuple[int, int, int]) -> str:
        _, count, index = place
        body = {
            "project_id": tenant.id,
            "network_id": network,
            "ip_version": ip_network(self.start_cidr).version,
            "cidr": self.cidr(count * self.subnets_per_network + index),
        }
        return self._make(scene, "subnet", "subnet-" + "-".join(map(str, place)), body)

    def cidr(self, number: int) -> str:
        """Return the address range of a tenant's subnet by its number; tenants have the same ones."""
        start = ip_network(self.start_cidr)
        first = int(start.network_address) + number * start.num_addresses
        return f"{type(start.network_address)(first)}/{start.prefixlen}"

    def _router(self, scene: Scene, tenant: Tenant, number: int, subnets: list[str], gateway: str | None) -> None:
        body: dict[str, Any] = {"project_id": tenant.id}
        if gateway:
            body["external_gateway_info"] = {"network_id": gateway}
        router = self._make(scene, "router", f"router-{number}", body)
        for subnet in subnets:
            path = f"/routers/{router}/add_router_interface"
            scene.admin.service("network").put(path, {"subnet_id": subnet})

    def _make(self, scene: Scene, what: str, name: str, fields: dict[str, Any]) -> str:
        network = scene.admin.service("network")

        def post(full: str) -> str:
            made = network.post(f"/{what}s", {what: {"name": full, **fields}})
            return str(made.json()[what]["id"])

        return scene.make(what, name, post)

    def _external(self, network: Service) -> str:
        listed = network.get("/networks?router:external=True").json()["networks"]
        if not listed:
            raise NotFound(
                "the cloud has no external network for the routers",
                hint="`router: {external: false}` makes routers without a gateway",
            )
        return str(listed[0]["id"])
