"""Which server plays which roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rallyflow.errors import LayoutInvalid
from rallyflow.model.values import Server

Wanted = Mapping["Role", int | Sequence[str]]
"""What the file says: role to a count or to names."""


class Role(StrEnum):
    """What a server is for."""

    CONTROLLER = "controller"  # APIs and schedulers; on the first one also the database and the message queue
    COMPUTE = "compute"  # nova-compute, and the network agent
    NETWORK = "network"  # the network agent
    STORAGE = "storage"  # cinder-volume


@dataclass(frozen=True, slots=True)
class Placed:
    """A server with its roles, and the address at which the other servers reach it."""

    server: Server
    roles: frozenset[Role]
    address: str

    @property
    def name(self) -> str:
        """The server's name in the workflow; what nova and neutron call the host as well."""
        return self.server.name


@dataclass(frozen=True, slots=True)
class Layout:
    """All servers of a cloud."""

    servers: tuple[Placed, ...]

    @property
    def controllers(self) -> tuple[Placed, ...]:
        """All that have APIs."""
        return self.of(Role.CONTROLLER)

    @property
    def controller(self) -> Placed:
        """The first one, which the others speak to: it has what there is once."""
        return self.controllers[0]

    def of(self, role: Role) -> tuple[Placed, ...]:
        """Return the servers of a role."""
        return tuple(each for each in self.servers if role in each.roles)


def lay_out(servers: Sequence[Server], wanted: Wanted, network: str = "") -> Layout:
    """Give servers their roles: as `wanted` says, else as they say themselves; a single one without any gets all.

    `network` names the network that the services speak over. Raises LayoutInvalid.
    """
    names = [server.name for server in servers]
    if len(set(names)) < len(names):
        raise LayoutInvalid("two servers have the same name", hint="the services of a cloud know hosts by their names")
    roles = _by_wish(names, wanted) if wanted else _by_servers(servers)
    controllers = [name for name in names if name in roles[Role.CONTROLLER]]
    if not controllers:
        raise LayoutInvalid(
            "no server is a controller, and a cloud needs one",
            hint="give at least one server the role: `roles: {controller: 1, …}`",
        )
    roles[Role.COMPUTE] = roles[Role.COMPUTE] or controllers[:1]
    roles[Role.STORAGE] = roles[Role.STORAGE] or controllers[:1]
    placed = (
        Placed(
            server, frozenset(role for role, those in roles.items() if server.name in those), _address(server, network)
        )
        for server in servers
    )
    return Layout(tuple(each for each in placed if each.roles))


def _by_wish(names: Sequence[str], wanted: Wanted) -> dict[Role, list[str]]:
    """Counts take servers in their order, so that no two roles that are counted share one while there are others."""
    roles: dict[Role, list[str]] = {role: [] for role in Role}
    taken = {name for value in wanted.values() if not isinstance(value, int) for name in value}
    free = [name for name in names if name not in taken]
    for role, value in wanted.items():
        if isinstance(value, int):
            if value > len(free):
                raise LayoutInvalid(
                    f"{value} servers are wanted as {role}, and {len(free)} of {len(names)} are left",
                    hint="provide more servers, or name them: a server may play several roles",
                )
            roles[role], free = free[:value], free[value:]
        else:
            unknown = [name for name in value if name not in names]
            if unknown:
                raise LayoutInvalid(
                    f"there is no server {unknown[0]!r} to be {role}", hint=f"there are: {', '.join(names)}"
                )
            roles[role] = list(value)
    return roles


def _by_servers(servers: Sequence[Server]) -> dict[Role, list[str]]:
    if len(servers) == 1 and not servers[0].role:
        return {role: [servers[0].name] for role in Role}
    roles: dict[Role, list[str]] = {role: [] for role in Role}
    for server in servers:
        if server.role not in set(Role):
            raise LayoutInvalid(
                f"the server {server.name} has {f'the role {server.role!r}' if server.role else 'no role'}",
                hint=f"give `roles`, or give each server one of: {', '.join(Role)}",
            )
        roles[Role(server.role)].append(server.name)
    return roles


def _address(server: Server, network: str) -> str:
    if not network:
        return server.host
    if network not in server.networks:
        raise LayoutInvalid(f"the server {server.name} has no address in the network {network!r}")
    return server.networks[network]
