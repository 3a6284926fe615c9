"""Makes the networks and containers of a step, each booked before it is made; or makes what is missing of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from ipaddress import IPv4Network
from itertools import repeat
from pathlib import Path
from typing import Any

from rallyflow.errors import NetworkTaken, RallyflowError, StepError
from rallyflow.model.step import StepContext
from rallyflow.model.values import Server
from rallyflow.servers.fleet import joined
from rallyflow.servers.providers.lxc import keys, names
from rallyflow.servers.providers.lxc.hosts import Ready, addresses, at_once, reached_through
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.layout import Layout, Place, free_networks, hosts_file, lay_out
from rallyflow.servers.providers.lxc.resources import NETWORK, SERVER
from rallyflow.servers.ssh.book import HostKeyBook
from rallyflow.servers.ssh.hostkeys import read_key
from rallyflow.servers.ssh.places import places

INTERNAL = "internal"
"""What the containers' own network is called among the networks of a server."""
_CREATING = 600.0  # seconds
_STEPS_ASIDE = 8  # two runs that meet on several hosts must not go on meeting

Network = Mapping[str, Any]
"""The network of a step on one host, as the agent describes it."""


class Making:
    """Makes what a step asks for, on hosts that are ready. What the ledger has already is not booked again."""

    def __init__(self, inputs: LxcInputs, context: StepContext, hosts: Sequence[Ready]) -> None:
        self._inputs = inputs
        self._context = context
        self._hosts = hosts
        self._tag = context.tag
        self._rows = {(row.kind, row.name): row.id for row in context.ledger.open()}

    def all(self) -> tuple[Server, ...]:
        """Make networks and containers, and return the servers; they have been started, and may not answer yet.

        Raises one error that names each container that could not be made.
        """
        layout, networks = self._network()
        keys.login_key(self._folder)  # before hosts are worked on at a time: each would make one of its own
        found: dict[str, str] = {}
        errors: list[StepError] = []
        for keys_of_host, errors_of_host in at_once(
            lambda at: self._containers(layout, networks[at], at), range(len(self._hosts))
        ):
            found.update(keys_of_host)
            errors += errors_of_host
        if errors:
            raise joined(errors)
        return self._servers(layout, networks, found)

    def _network(self) -> tuple[Layout, list[Network]]:
        known = self._known_network()
        taken = [each for host in self._hosts for each in host.taken]
        candidates = repeat(known) if known else free_networks(self._inputs, taken, len(self._hosts))
        joining = addresses(self._hosts, self._inputs.underlay)
        while True:
            layout = lay_out(self._inputs, next(candidates), [host.server.name for host in self._hosts])
            try:
                made = at_once(partial(self._network_on, layout, joining), range(len(self._hosts)))
            except NetworkTaken:  # somebody else was faster: what was made of it is made anew with other addresses
                if self._inputs.network is not None or known:
                    raise
                for _ in range(secrets.randbelow(_STEPS_ASIDE)):
                    next(candidates)
                continue
            self._context.log.info("the network %s is on %s", layout.network, names.bridge(self._tag))
            return layout, made

    def _known_network(self) -> IPv4Network | None:
        """Return the network that an attempt before this one has made, or was about to make."""
        if not any(kind == NETWORK for kind, _ in self._rows):
            return None
        for host in self._hosts:
            found = host.agent.call("networks.restore", bridge=names.bridge(self._tag))
            if found:
                return IPv4Network(found["cidr"])
        return None

    def _network_on(self, layout: Layout, joining: Sequence[str], at: int) -> Network:
        host = self._hosts[at]
        bridge = names.bridge(self._tag)
        vxlan = names.vxlan(self._tag) if len(self._hosts) > 1 else ""
        detail = {"host": _host(host.server), "bridge": bridge, "vxlan": vxlan}
        name = f"{self._tag}-network-{host.server.name.replace(' ', '-')}"
        row = self._book(NETWORK, name, detail, host)
        network = {
            "bridge": bridge,
            "tag": self._tag,
            "cidr": str(layout.network),
            "address": str(layout.gateways[at]),
            "nat": self._inputs.nat,
            "vxlan": self._vxlan(joining, at) if vxlan else None,
        }
        forwarded = [place for place in layout.places if place.host == at and self._inputs.forward_ssh]
        forward = {place.name: str(place.address) for place in forwarded}
        made: Network = host.agent.call(
            "networks.create", network=network, forward=forward, directory=self._directory(host)
        )
        self._context.ledger.created(row, bridge, detail={"cidr": network["cidr"]})
        return made

    def _vxlan(self, joining: Sequence[str], at: int) -> Mapping[str, Any]:
        return {
            "name": names.vxlan(self._tag),
            "id": names.vxlan_id(self._tag),
            "local": joining[at],
            "peers": [address for number, address in enumerate(joining) if number != at],
        }

    def _containers(self, layout: Layout, network: Network, at: int) -> tuple[dict[str, str], list[StepError]]:
        """Make the containers of one host; returns their host keys by name, and what went wrong."""
        host = self._hosts[at]
        own = [place for place in layout.places if place.host == at]
        rows = {}
        for place in own:
            name = names.container(self._tag, place.name)
            rows[name] = self._book(SERVER, name, {"host": _host(host.server), "server": place.name}, host)
        made = {name: keys.make() for name in rows}
        results = host.agent.call(
            "containers.create",
            timeout=_CREATING,
            images=host.agent.images,
            directory=self._directory(host),
            servers=[self._wanted(place, layout, network, host) for place in own],
            keys={name: {"private": pair.private, "public": pair.public} for name, pair in made.items()},
        )
        found, errors = {}, []
        for place, (name, result) in zip(own, results.items(), strict=True):
            if "error" in result:
                errors.append(_named(place, host.agent.failure(result["error"])))
                continue
            self._context.ledger.created(rows[name], name, detail={"address": str(place.address)})
            found[place.name] = result["host_key"]
        return found, errors

    def _wanted(self, place: Place, layout: Layout, network: Network, host: Ready) -> Mapping[str, Any]:
        name = names.container(self._tag, place.name)
        image = host.chain[0]
        return {
            "name": name,
            "tag": self._tag,
            "hostname": place.name,
            "image": image["digest"],
            "release": image["release"],
            "init": self._inputs.init if "init" in self._inputs.model_fields_set else image["init"],
            "bridge": network["bridge"],
            "veth": names.veth(name),
            "address": str(place.address),
            "prefix": layout.network.prefixlen,
            "gateway": network["address"],
            "mtu": network["mtu"],
            "nat": self._inputs.nat,
            "hosts": hosts_file(layout),
            "authorized_key": keys.login_key(self._folder).public,
            "cpus": place.cpus,
            "memory": place.memory,
            "nesting": self._inputs.nesting,
        }

    def _servers(self, layout: Layout, networks: Sequence[Network], host_keys: Mapping[str, str]) -> tuple[Server, ...]:
        book = HostKeyBook(self._folder / "known_hosts")
        servers = []
        for place in layout.places:
            host = self._hosts[place.host].server
            server = Server(
                name=place.name,
                **self._way_to(place, host, networks[place.host]),
                role=place.role,
                key_file=self._folder / keys.LOGIN,
                known_hosts=book.file,
                networks={INTERNAL: str(place.address)},
                ledger_id=self._rows[SERVER, names.container(self._tag, place.name)],
            )
            for hop in places(server)[:-1]:
                book.take(hop, "", host.known_hosts)
            book.add(places(server)[-1], read_key(host_keys[place.name]))
            servers.append(server)
        return tuple(servers)

    def _way_to(self, place: Place, host: Server, network: Network) -> dict[str, Any]:
        port = next((each["port"] for each in network["forward"] if each["name"] == place.name), 0)
        if port:
            self._context.log.info("port %d of %s leads to ssh of %s", port, host.name, place.name)
        if port and host.connection == "ssh":
            return {"host": host.host, "port": port, "jump": host.jump}
        return {"host": str(place.address), "jump": reached_through(host)}

    @property
    def _folder(self) -> Path:
        return self._context.artifacts.absolute()

    def _directory(self, host: Ready) -> str:
        """Return where the run is, for whoever finds its things on this machine; it is on no other."""
        return str(self._context.directory.absolute()) if host.agent.is_local else ""

    def _book(self, kind: str, name: str, detail: Mapping[str, Any], host: Ready) -> int:
        """Return the row of what is about to be made; with a host that a run has made it will be gone as well."""
        row = self._rows.get((kind, name))
        if row is None:
            row = self._context.ledger.intend(kind, name, inside=host.server.ledger_id, detail=detail)
            self._rows[kind, name] = row
        return row


def _host(server: Server) -> dict[str, Any]:
    return server.model_dump(mode="json", exclude_defaults=True)


def _named(place: Place, error: RallyflowError) -> StepError:
    kind = type(error) if isinstance(error, StepError) else StepError
    return kind(f"{place.name}: {error.what}", hint=error.hint)
