"""NAT and forwarded ports of a network: a table of nftables of its own, so that it goes as one and touches no other."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import host

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def apply(network: Mapping[str, Any]) -> None:
    """Let the packets of a network through, and make its table at one stroke, when it wants NAT or forwarded ports.

    That turns forwarding on, which then stays on.
    """
    _let_through(network["bridge"], network["tag"])
    if not (network["nat"] or network["forward"]):
        return
    if _FORWARDING.read_text(encoding="ascii").strip() != "1":
        _FORWARDING.write_text("1\n", encoding="ascii")
    host.run("nft", "-f", "-", text=rules(network))


def remove(bridge: str) -> None:
    """Remove the table of a network, and nothing else; fine when there is none."""
    if shutil.which("nft", path=host.PATH):
        host.run("nft", "-f", "-", text=_empty(bridge))
    _forget(bridge)


def rules(network: Mapping[str, Any]) -> str:
    """Return the table as `nft -f` reads it, beginning with the removal of an earlier one."""
    bridge, cidr, tag = network["bridge"], network["cidr"], network["tag"]
    leads = [
        f'    fib daddr type local tcp dport {each["port"]} dnat to {each["to"]}:22 comment "{tag}"'
        for each in network["forward"]
    ]
    goes_out = f'    ip saddr {cidr} ip daddr != {cidr} oifname != "{bridge}" masquerade comment "{tag}"'
    lines = [
        f"table ip {bridge} {{",
        "  chain postrouting {",
        "    type nat hook postrouting priority 100; policy accept;",
        *([goes_out] if network["nat"] else []),
        "  }",
        "  chain prerouting {",
        "    type nat hook prerouting priority -100; policy accept;",
        *leads,
        "  }",
        "  chain output {",
        "    type nat hook output priority -100; policy accept;",
        *leads,
        "  }",
        "}",
    ]
    return _empty(bridge) + "\n".join(lines) + "\n"


def _empty(bridge: str) -> str:
    return f"table ip {bridge} {{ }}\ndelete table ip {bridge}\n"


def _let_through(bridge: str, tag: str) -> None:
    """Let our packets through where another program, such as Docker, has iptables drop what is forwarded."""
    _forget(bridge)
    if "-P FORWARD DROP" not in _forwarding():
        return
    for direction in ("-i", "-o"):
        rule = (direction, bridge, "-m", "comment", "--comment", tag, "-j", "ACCEPT")
        host.run("iptables", "-w", "-I", "FORWARD", *rule)


def _forget(bridge: str) -> None:
    """Remove the rules of iptables about a device, whose name nobody else uses."""
    for line in _forwarding():
        words = shlex.split(line)
        if words[0] == "-A" and bridge in words:
            host.run("iptables", "-w", "-D", *words[1:])


def _forwarding() -> list[str]:
    if not shutil.which("iptables", path=host.PATH):
        return []
    return host.run("iptables", "-w", "-S", "FORWARD", check=False).splitlines()
