"""Networks: the API and its RPC server on the controllers, an agent where ports are bound."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Account, Daemon, File, Folder, Schema, Wait
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.deployers.debian.services.openvswitch import open_vswitch_agent
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF = "/etc/neutron/neutron.conf"
_ML2 = "/etc/neutron/plugins/ml2/ml2_conf.ini"
_AGENT = "/etc/neutron/plugins/ml2/linuxbridge_agent.ini"
_REMOVE_BRIDGES = f"""ls /sys/class/net | grep -q ^brq || exit 0
exec neutron-linuxbridge-cleanup --config-file {_CONF} --config-file {_AGENT}"""


def neutron(site: Site, server: Placed) -> Parts:
    """Return the parts of one server."""
    state = data("neutron")
    parts = Parts(
        folders=(Folder(state, "neutron"), Folder(f"{state}/locks", "neutron")),
        files=(File(_CONF, _conf(site, server), "neutron", 0o640),),
    )
    if Role.CONTROLLER in server.roles:
        parts += _controller(site, server)
    if has_agent(server):
        parts += _agent(site, server)
    return parts


def has_agent(server: Placed) -> bool:
    """Whether ports are bound on a server."""
    return bool(server.roles & {Role.COMPUTE, Role.NETWORK})


def _conf(site: Site, server: Placed) -> str:
    controller = Role.CONTROLLER in server.roles
    quotas = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")
    return site.options(
        "neutron",
        {
            "DEFAULT": {
                "state_path": data("neutron"),
                "host": server.name,
                "core_plugin": "ml2",
                "service_plugins": "router",
                "transport_url": site.transport,
                "auth_strategy": "keystone",
                "notify_nova_on_port_status_changes": True,
                "notify_nova_on_port_data_changes": True,
                "rpc_workers": 1,
                "rpc_state_report_workers": 1,
                "dhcp_agent_notification": False,
            },
            "quotas": {f"quota_{name}": -1 for name in quotas},
            "experimental": {"linuxbridge": True} if site.network_driver == "linuxbridge" else {},
            "database": {"connection": site.database("neutron")} if controller else {},
            "keystone_authtoken": site.token_check("neutron"),
            "nova": site.login("nova"),
            "oslo_concurrency": {"lock_path": data("neutron/locks")},
            "agent": {"root_helper": "sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf"},
        },
    )


def _controller(site: Site, server: Placed) -> Parts:
    ml2 = site.options(
        "ml2",
        {
            "ml2": {
                "type_drivers": "flat,vlan,vxlan,local",
                "tenant_network_types": "vxlan",
                "mechanism_drivers": site.network_driver,
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vxlan": {"vni_ranges": "1:16000"},
            "securitygroup": {"enable_ipset": True},
        },
    )
    arguments = f"--config-file {_CONF} --config-file {_ML2}"
    after = ("neutron-tables", "rabbitmq", "keystone")
    api = Api("neutron-api", "neutron", "/usr/bin/neutron-api", (_CONF, _ML2), after, arguments)
    rpc = Daemon(
        "neutron-rpc-server",
        "services",
        ("neutron-tables", "rabbitmq"),
        ("/usr/bin/neutron-rpc-server", *arguments.split()),
        "neutron",
        reads=(_CONF, _ML2),
        ready=site.queue(f"q-plugin.{server.name}"),
    )
    tables = Schema(
        "neutron-tables",
        "databases",
        ("databases",),
        ("neutron",),
        site.key("python3-neutron"),
        (("neutron-db-manage", *arguments.split(), "upgrade", "heads"),),
        user="neutron",
    )
    return wsgi(site, server, api) + Parts(
        ("neutron-api", "neutron-rpc-server"),
        files=(File(_ML2, ml2, "neutron", 0o640),),
        units=(site.once(server, tables, site.answers("neutron-api")), rpc),
        accounts=(Account("neutron", site.passwords.users["neutron"], "neutron", "network", site.url("neutron-api")),),
        databases={"neutron": "neutron"},
    )


def _agent(site: Site, server: Placed) -> Parts:
    """An agent reports to the RPC server when it starts, and waits a minute for an answer that nobody gives."""
    wait = Wait("neutron-rpc-answers", "services", (), site.queue("q-plugin"))
    parts = Parts(("neutron-common",), units=(wait,))
    if site.network_driver == "openvswitch":
        return parts + open_vswitch_agent(site, server, _CONF, wait.name)
    return parts + _linuxbridge_agent(site, server, wait.name)


def _linuxbridge_agent(site: Site, server: Placed, after: str) -> Parts:
    conf = site.options(
        "linuxbridge",
        {
            "linux_bridge": {},
            "vxlan": {"enable_vxlan": True, "local_ip": server.address, "l2_population": False},
            "securitygroup": {"firewall_driver": "noop", "enable_security_group": False},
        },
    )
    daemon = Daemon(
        "neutron-linuxbridge-agent",
        "services",
        (after,),
        ("/usr/bin/neutron-linuxbridge-agent", "--config-file", _CONF, "--config-file", _AGENT),
        reads=(_CONF, _AGENT),
        ready=site.queue(f"q-agent-notifier-network-update.{server.name}"),
    )
    return Parts(
        files=(File(_AGENT, conf, "neutron", 0o640),), units=(daemon,), undo=(("/bin/sh", "-c", _REMOVE_BRIDGES),)
    )
