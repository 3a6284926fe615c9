"""Open vSwitch: its database and its switch, as daemons of the deployment, and neutron's agent that fills them.

The kernel's datapath forwards where a server has it. Elsewhere the switch does that itself, in userspace: ports are
bound all the same, but a tunnel to another server carries nothing, since no bridge has the server's address.
"""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Command, Daemon, File, Folder, Ready
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.site import Parts, Site, data

OWN_UNITS = ("openvswitch-switch", "ovs-vswitchd", "ovsdb-server")
"""The package's own services, in whose place ours run."""

_AGENT = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
_RUN = "/run/openvswitch"  # libvirt and ovs-vsctl look for the database's socket there
_SOCKET = f"unix:{_RUN}/db.sock"
_FOLDER = data("openvswitch")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_DATABASE = f"{_FOLDER}/conf.db"
_INTERNAL = '["Open_vSwitch",{"op":"select","table":"Interface","where":[["type","==","internal"]],"columns":["name"]}]'
_NAMES = f"""ovsdb-tool query {_DATABASE} '{_INTERNAL}' | grep -o '"name":"[^"]*"' | cut -d '"' -f 4"""
_REMOVE_TAPS = f"""for name in ovs-netdev $({_NAMES})
do test ! -e /sys/class/net/$name/tun_flags || ip link delete $name || exit 1
done"""
_REMOVE_DATAPATHS = "ovs-dpctl dump-dps | xargs -r -n 1 ovs-dpctl del-dp"
_QUIET = ("-vconsole:info", "-vsyslog:off")


def open_vswitch(site: Site, server: Placed) -> Parts:
    """Return the switch of one server, and what takes its interfaces away in the end: they outlive the daemons."""
    in_kernel = site.datapath(server) == "system"
    return Parts(
        ("openvswitch-switch",),
        (Folder(_FOLDER), Folder(_RUN)),
        units=(_database(), _server(), _switch(in_kernel=in_kernel)),
        undo=(("/bin/sh", "-c", _REMOVE_DATAPATHS if in_kernel else _REMOVE_TAPS),),
    )


def open_vswitch_agent(site: Site, server: Placed, conf: str, after: str) -> Parts:
    """Return neutron's agent with its file; `conf` is neutron's own, and it comes after a unit of that name."""
    content = site.options(
        "openvswitch",
        {
            "ovs": {"local_ip": server.address, "datapath_type": site.datapath(server)},
            "agent": {"tunnel_types": "vxlan", "l2_population": False},
            "securitygroup": {"firewall_driver": "noop", "enable_security_group": False},
        },
    )
    daemon = Daemon(
        "neutron-openvswitch-agent",
        "services",
        (after, "ovs-vswitchd"),
        ("/usr/bin/neutron-openvswitch-agent", "--config-file", conf, "--config-file", _AGENT),
        reads=(conf, _AGENT),
        ready=site.queue(f"q-agent-notifier-tunnel-update.{server.name}"),
    )
    return open_vswitch(site, server) + Parts(files=(File(_AGENT, content, "neutron", 0o640),), units=(daemon,))


def _database() -> Command:
    """The file is made beside its place: one that was torn by a crash is made again."""
    part = f"{_DATABASE}.part"
    script = f"rm -f {part} && ovsdb-tool create {part} {_SCHEMA} && mv {part} {_DATABASE}"
    return Command("ovsdb", "services", (), ("/bin/sh", "-c", script), stamp="made")


def _server() -> Daemon:
    """Neutron and nova ask over the port, which is for this server alone; everybody else over the socket."""
    return Daemon(
        "ovsdb-server",
        "services",
        ("ovsdb",),
        (
            *("/usr/sbin/ovsdb-server", _DATABASE, *_QUIET),
            *(f"--remote=p{_SOCKET}", "--remote=ptcp:6640:127.0.0.1", f"--unixctl={_RUN}/ovsdb-server.ctl"),
        ),
        ready=Ready("ovsdb", _SOCKET),
    )


def _switch(*, in_kernel: bool) -> Daemon:
    return Daemon(
        "ovs-vswitchd",
        "services",
        ("ovsdb-server",),
        (
            *("/usr/sbin/ovs-vswitchd", _SOCKET, *_QUIET, f"--unixctl={_RUN}/ovs-vswitchd.ctl"),
            *(() if in_kernel else ("--disable-system",)),
        ),
        ready=Ready("openvswitch", _SOCKET),
    )
