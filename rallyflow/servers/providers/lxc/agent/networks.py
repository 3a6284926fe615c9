"""The network of a step on this host: a bridge, and as asked for a vxlan to other hosts, NAT and forwarded ports.

What a network is stands in a file before any of it is made. By that file it is made again after a reboot, removed,
and known to whoever looks for addresses that are free.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import firewall, host
from rallyflow.servers.providers.lxc.agent.trouble import HostError

_LOCK = "networks"
_VXLAN_HEADERS = 50  # bytes
_PORTS = range(20022, 30000)


def taken() -> list[str]:
    """Return the networks that this host has an address in, a route to, or has promised to somebody."""
    found = {
        f"{address['local']}/{address['prefixlen']}"
        for link in host.show("address", "show")
        for address in link.get("addr_info", ())
        if address.get("family") == "inet" and "local" in address
    }
    found |= {route["dst"] for route in host.show("route", "show", "table", "all") if _is_network(route.get("dst", ""))}
    found |= {record["cidr"] for record in records()}
    return sorted(str(ipaddress.IPv4Network(each, strict=False)) for each in found)


def source_towards(address: str) -> str:
    """Return the address by which this host speaks to another one; HostError when it has no way there."""
    found = host.show("route", "get", address)
    if not found or "prefsrc" not in found[0]:
        raise HostError(f"this host has no way to {address}")
    return str(found[0]["prefsrc"])


def create(network: Mapping[str, Any], forward: Mapping[str, str], directory: str = "") -> dict[str, Any]:
    """Make a network, or what is missing of it, and return what it is.

    `network` has `bridge`, `tag`, `cidr`, `address` (of the bridge), `nat`, and `vxlan`: None, or `name`, `id`, `local`
    and `peers`. `forward` are names of containers with their addresses, to each of which a port of this host
    leads. `directory` is the folder of the run, when it is on this host.
    HostError of the kind `taken` when somebody else has its addresses.
    """
    with host.locked(_LOCK):
        known = host.read_json(_file(network["bridge"]))
        if known is None or {key: known.get(key) for key in network} != dict(network):
            if known is not None:
                _undo(network["bridge"], network["vxlan"]["name"] if network["vxlan"] else "")
            _check_free(network["cidr"])
            known = {**network, "directory": directory, "forward": _ports(forward)}
            host.NETWORKS.mkdir(parents=True, exist_ok=True)
            host.write_json(_file(network["bridge"]), known)
        return _apply(known)


def restore(bridge: str) -> dict[str, Any] | None:
    """Make again what a reboot has taken of a network; None when this host knows nothing of it."""
    with host.locked(_LOCK):
        known = host.read_json(_file(bridge))
        return None if known is None else _apply(known)


def delete(bridge: str, vxlan: str) -> None:
    """Remove a network, also one of which only a part is there."""
    with host.locked(_LOCK):
        _undo(bridge, vxlan)


def listed() -> list[dict[str, Any]]:
    """Return what is written down of the networks of this host."""
    return list(records())


def records() -> Iterator[dict[str, Any]]:
    """Give the same, one by one."""
    for file in sorted(host.NETWORKS.glob("[!.]*.json")):
        record = host.read_json(file)
        if record is not None:
            yield record


def _is_network(destination: str) -> bool:
    try:
        return ipaddress.IPv4Network(destination, strict=False).prefixlen > 1  # a VPN halves the default route
    except ValueError:
        return False


def _check_free(cidr: str) -> None:
    wanted = ipaddress.IPv4Network(cidr)
    for each in taken():
        if wanted.overlaps(ipaddress.IPv4Network(each)):
            raise HostError(f"the network {cidr} is not free on this host: it has {each}", kind="taken")


def _apply(network: dict[str, Any]) -> dict[str, Any]:
    bridge = network["bridge"]
    if not host.has_link(bridge):
        host.run("ip", "link", "add", bridge, "address", _hardware(), "type", "bridge", "forward_delay", "0")
    prefix = ipaddress.IPv4Network(network["cidr"]).prefixlen
    host.run("ip", "address", "replace", f"{network['address']}/{prefix}", "dev", bridge)
    mtu = _join(network) if network["vxlan"] else 1500
    host.run("ip", "link", "set", bridge, "mtu", mtu, "up")
    firewall.apply(network)
    return {**network, "mtu": mtu}


def _hardware() -> str:
    """Return a hardware address for a bridge, which would else have that of one of its ports, and change with them.

    Containers would go on sending to the one that it had. It is random: bridges that are joined must not share one.
    """
    return "02:" + secrets.token_bytes(5).hex(":")


def _join(network: Mapping[str, Any]) -> int:
    """Join the bridges of several hosts; returns the MTU that is left for the containers."""
    vxlan = network["vxlan"]
    name, local = vxlan["name"], vxlan["local"]
    if not host.has_link(name):
        host.run("ip", "link", "add", name, "type", "vxlan", "id", vxlan["id"], "local", local, "dstport", "4789")
    known = host.run("bridge", "fdb", "show", "dev", name)
    for peer in vxlan["peers"]:
        if f"dst {peer} " not in known:
            host.run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", name, "dst", peer)
    mtu = min(_mtu_towards(peer) for peer in vxlan["peers"]) - _VXLAN_HEADERS
    host.run("ip", "link", "set", name, "mtu", mtu, "master", network["bridge"], "up")
    return mtu


def _mtu_towards(address: str) -> int:
    route = next(iter(host.show("route", "get", address)), None)
    if route is None:
        raise HostError(f"this host has no way to {address}")
    return int(Path("/sys/class/net", route["dev"], "mtu").read_text(encoding="ascii"))


def _ports(forward: Mapping[str, str]) -> list[dict[str, Any]]:
    """Choose a port of this host for each container: one that no other network has, and on which nothing listens."""
    used = {each["port"] for record in records() for each in record["forward"]}
    free = (port for port in _PORTS if port not in used and not _listens(port))
    found = [{"name": name, "to": address, "port": port} for (name, address), port in zip(forward.items(), free)]  # noqa: B905
    if len(found) < len(forward):
        raise HostError(f"this host has too few free ports from {_PORTS.start} to {_PORTS.stop - 1}")
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False


def _undo(bridge: str, vxlan: str) -> None:
    firewall.remove(bridge)
    for link in (vxlan, bridge):
        if link and host.has_link(link):
            host.run("ip", "link", "delete", link)
    _file(bridge).unlink(missing_ok=True)


def _file(bridge: str) -> Path:
    return host.NETWORKS / f"{host.checked(bridge)}.json"
