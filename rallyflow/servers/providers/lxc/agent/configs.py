"""The texts that make a container: its LXC configuration, and the files in it that are its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from pkgutil import get_data
from typing import Any

from rallyflow.servers.providers.lxc.agent import host
from rallyflow.servers.providers.lxc.agent.trouble import HostError

PERIOD = 100_000  # microseconds
_INITS = {"minimal": ("/usr/sbin/rallyflow-init", "SIGTERM"), "systemd": ("/sbin/init", "SIGRTMIN+3")}
_NESTED = ("var/lib/rallyflow", "var/cache/rallyflow")
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
_SSHD = """\
# Written by rallyflow when it made this container.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
MaxStartups 200
MaxSessions 200
ClientAliveInterval 15
"""

# A node of its own: the host's would come with a group that has another number inside.
_DEV_KVM = "sh -c 'test ! -c /dev/kvm || mknod -m 666 $LXC_ROOTFS_MOUNT/dev/kvm c 10 232 || :'"


def lxc_config(server: Mapping[str, Any], lower: str, folder: Path) -> str:
    """Return the configuration of a container whose root file system is an overlay in its own mount namespace."""
    command, signal = _INITS[server["init"]]
    rights = "rw" if server["nesting"] else "mixed"
    lines = [
        f"lxc.uts.name = {server['hostname']}",
        f"lxc.rootfs.path = overlayfs:{lower}:{folder / 'upper'}",
        f"lxc.init.cmd = {command}",
        f"lxc.signal.halt = {signal}",
        f"lxc.mount.auto = proc:{rights} sys:{rights}{' cgroup:rw:force' if server['nesting'] else ''}",
        "lxc.mount.entry = tmpfs dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0",
        "lxc.mount.entry = /dev/net/tun dev/net/tun none bind,optional,create=file 0 0",
        f"lxc.hook.autodev = {_DEV_KVM}",
        "lxc.pty.max = 1024",
        "lxc.apparmor.profile = unconfined",
        "lxc.cap.drop = sys_module sys_time mac_admin mac_override",
        "lxc.net.0.type = veth",
        f"lxc.net.0.veth.pair = {server['veth']}",
        f"lxc.net.0.link = {server['bridge']}",
        "lxc.net.0.flags = up",
        "lxc.net.0.name = eth0",
        f"lxc.net.0.hwaddr = {hardware(server['address'])}",
        f"lxc.net.0.mtu = {server['mtu']}",
        f"lxc.net.0.ipv4.address = {server['address']}/{server['prefix']}",
        f"lxc.net.0.ipv4.gateway = {server['gateway']}",
        *(_limits(server)),
        *(f"lxc.mount.entry = {folder / 'nested' / name} {name} none bind,create=dir 0 0" for name in _nested(server)),
    ]
    return "\n".join(lines) + "\n"


def hardware(address: str) -> str:
    """Return the hardware address of a container, the same at every start: neighbours keep the one they had.

    It is locally administered, and follows from the IPv4 address: so it is the only one in the network, on whichever of
    the hosts a container is, and whoever gets the address next is reached at once as well.
    """
    return "02:00:" + ipaddress.IPv4Address(address).packed.hex(":")


def nested_folders(server: Mapping[str, Any], folder: Path) -> list[Path]:
    """Return the folders of the host that a container gets for containers of its own: overlay needs real ones."""
    return [folder / "nested" / name for name in _nested(server)]


def _nested(server: Mapping[str, Any]) -> tuple[str, ...]:
    return _NESTED if server["nesting"] else ()


def _limits(server: Mapping[str, Any]) -> list[str]:
    """Return the limits in the words of the host's cgroups; HostError when it can't hold one."""
    cpu = int(server["cpus"] * PERIOD)
    wanted = []
    if server["memory"]:
        _need("memory", "memory.limit_in_bytes", "memory")
        if is_unified():
            wanted += [f"cgroup2.memory.max = {server['memory']}", *_no_swap()]
        else:
            wanted += [f"cgroup.memory.limit_in_bytes = {server['memory']}"]
            if (CGROUPS / "memory" / "memory.memsw.limit_in_bytes").exists():
                wanted += [f"cgroup.memory.memsw.limit_in_bytes = {server['memory']}"]
    if cpu:
        _need("cpu", "cpu.cfs_quota_us", "cpus")
        if is_unified():
            wanted += [f"cgroup2.cpu.max = {cpu} {PERIOD}"]
        else:
            wanted += [f"cgroup.cpu.cfs_period_us = {PERIOD}", f"cgroup.cpu.cfs_quota_us = {cpu}"]
    return [f"lxc.{line}" for line in wanted]


CGROUPS = Path("/sys/fs/cgroup")


def is_unified() -> bool:
    """Whether the host has cgroups of version 2 alone."""
    return (CGROUPS / "cgroup.controllers").exists()


def lacks_controller(controller: str, file: str) -> bool:
    """Whether the host can't limit something: by the controller of version 2, or the file of version 1."""
    if is_unified():
        return controller not in host.text_of(CGROUPS / "cgroup.controllers").split() or not _can_pass_on(controller)
    return not (CGROUPS / controller / file).exists()


def _can_pass_on(controller: str) -> bool:
    """Whether groups can be made below ours: not from one that is not the root and has processes of its own."""
    if controller in host.text_of(CGROUPS / "cgroup.subtree_control").split():
        return True
    return not (CGROUPS / "cgroup.type").exists() or not host.text_of(CGROUPS / "cgroup.procs").strip()


def _no_swap() -> list[str]:
    """Return the limit that keeps a container from swapping, where the kernel counts that."""
    return ["cgroup2.memory.swap.max = 0"] if any(CGROUPS.glob("*/memory.swap.max")) else []


def _need(controller: str, file: str, key: str) -> None:
    if lacks_controller(controller, file):
        raise HostError(
            f"this host can't limit `{key}`: its kernel gives no cgroup controller {controller!r}",
            hint=f"leave `{key}` out, or boot the host with this controller enabled",
        )


def files(server: Mapping[str, Any], keys: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Return the files of a container that are its own: path in it, content, mode."""
    found = [
        ("etc/hostname", f"{server['hostname']}\n", 0o644),
        ("etc/hosts", server["hosts"], 0o644),
        ("etc/resolv.conf", resolvers() if server["nat"] else "", 0o644),
        ("root/.ssh/authorized_keys", f"{server['authorized_key']}\n", 0o600),
        (_HOST_KEY, keys["private"], 0o600),
        (f"{_HOST_KEY}.pub", f"{keys['public']}\n", 0o644),
        ("etc/ssh/sshd_config.d/10-rallyflow.conf", _SSHD, 0o644),
    ]
    if server["init"] == "minimal":
        found.append(("usr/sbin/rallyflow-init", (get_data(__package__ or "", "init.sh") or b"").decode(), 0o755))
    return found


OWN_FILES = (
    "etc/hostname",
    "etc/hosts",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "etc/resolv.conf",
    "root/.ssh/authorized_keys",
    _HOST_KEY,
    f"{_HOST_KEY}.pub",
)
"""What an image that is made from a container must not have of it."""


def resolvers() -> str:
    """Return the host's resolv.conf, with resolvers that a container can reach: none at the host's own loopback."""
    for file in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        text = host.text_of(Path(file))
        if "nameserver" in text and "nameserver 127." not in text:
            return text
    return host.text_of(Path("/etc/resolv.conf"))
