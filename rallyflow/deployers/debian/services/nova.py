"""Compute: the API, conductor and scheduler on the controllers, and nova-compute where servers are to run."""

from __future__ import annotations

from importlib.resources import files

from rallyflow.deployers.debian.agent.plan import Account, Command, Daemon, File, Folder, Schema, Wait
from rallyflow.deployers.debian.ini import Options
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.deployers.debian.services.libvirt import LIBVIRTD, libvirt
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF, _COMPUTE_CONF = "/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"
_DRIVER = "/usr/lib/python3/dist-packages/nova/virt/rallyflow_fake.py"
_TEMPLATE = "{scheme}://{username}:{password}@{hostname}:{port}"  # cells find their passwords in the configuration


def nova(site: Site, server: Placed) -> Parts:
    """Return the parts of one server."""
    parts = _common(site, server)
    if Role.CONTROLLER in server.roles:
        parts += _controller(site, server)
    if Role.COMPUTE in server.roles:
        parts += _compute(site, server)
    return parts


def _common(site: Site, server: Placed) -> Parts:
    conf = site.options("nova", {**_options(site, server), **_databases(site, server)})
    folders = tuple(Folder(data(name), "nova", 0o755) for name in ("nova", "nova/locks", "nova/instances"))
    return Parts(folders=folders, files=(File(_CONF, conf, "nova", 0o640),))


def _options(site: Site, server: Placed) -> Options:
    return {
        "DEFAULT": {
            "state_path": data("nova"),
            "host": server.name,
            "my_ip": server.address,
            "transport_url": site.transport,
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "running_deleted_instance_action": "reap",
            "sync_power_state_interval": -1,
            "initial_cpu_allocation_ratio": 16.0,
            "allow_resize_to_same_host": len(site.layout.of(Role.COMPUTE)) == 1,
        },
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": site.token_check("nova"),
        "service_user": {"send_service_user_token": True, **site.login("nova")},
        "placement": site.login("nova"),
        "neutron": {
            **site.login("nova"),
            "service_metadata_proxy": True,
            "metadata_proxy_shared_secret": site.passwords.users["metadata"],
        },
        "glance": {"api_servers": site.url("glance-api")},
        "cinder": {"os_region_name": site.region, **site.login("nova")},
        "oslo_concurrency": {"lock_path": data("nova/locks")},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1},
        "filter_scheduler": {"enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter"},
        "quota": dict.fromkeys(("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members"), -1),
        "vnc": {"enabled": False},
        "libvirt": {"virt_type": site.virt_type} if site.driver == "libvirt" else {},
    }


def _databases(site: Site, server: Placed) -> Options:
    """Compute hosts never speak to a database, and don't get its password."""
    if Role.CONTROLLER not in server.roles:
        return {}
    return {
        "api_database": {"connection": site.database("nova", "nova_api")},
        "database": {"connection": site.database("nova")},
    }


def _controller(site: Site, server: Placed) -> Parts:
    api = Api("nova-api", "nova", "/usr/bin/nova-api-wsgi", (_CONF,), ("nova-tables", "rabbitmq", "keystone"))
    after = ("nova-tables", "rabbitmq", "catalogue")  # both sign in when they start, and end when they may not
    daemons = tuple(
        Daemon(
            f"nova-{name}",
            "services",
            after,
            (f"/usr/bin/nova-{name}",),
            "nova",
            reads=(_CONF,),
            ready=site.queue(f"{name}.{server.name}"),
        )
        for name in ("conductor", "scheduler")
    )
    return wsgi(site, server, api) + Parts(
        ("nova-api", "nova-conductor", "nova-scheduler"),
        units=(site.once(server, _tables(site), site.answers("nova-api")), *daemons),
        accounts=(Account("nova", site.passwords.users["nova"], "nova", "compute", site.url("nova-api", "/v2.1")),),
        databases={"nova_api": "nova", "nova": "nova", "nova_cell0": "nova"},
    )


def _tables(site: Site) -> Schema:
    cell = ("nova-manage", "cell_v2")
    return Schema(
        "nova-tables",
        "databases",
        ("databases",),
        ("nova_api", "nova", "nova_cell0"),
        site.key("python3-nova"),
        (
            ("nova-manage", "api_db", "sync"),
            (*cell, "map_cell0", "--database_connection", f"{_TEMPLATE}/nova_cell0"),
            ("nova-manage", "db", "sync"),
            (
                *cell,
                "create_cell",
                "--name=cell1",
                "--database_connection",
                f"{_TEMPLATE}/nova",
                "--transport-url",
                "rabbit://{username}:{password}@{hostname}:{port}/",
            ),
        ),
        (("nova-manage", "api_db", "sync"), ("nova-manage", "db", "sync")),
        "nova",
    )


def discover(hosts: tuple[str, ...], after: tuple[str, ...]) -> Command:
    """Return the command that maps compute hosts to their cell, once all of them have registered."""
    return Command(
        "compute-hosts",
        "register",
        ("nova-tables", *after),
        ("nova-manage", "cell_v2", "discover_hosts", "--by-service"),
        "nova",
        stamp=" ".join(sorted(hosts)),
    )


def _compute(site: Site, server: Placed) -> Parts:
    """nova-compute asks the conductor and placement first: it waits ten seconds for each try that comes too early."""
    waits = (
        Wait("keystone-answers", "services", (), site.answers("keystone")),
        Wait("placement-answers", "services", (), site.answers("placement-api")),
        Wait("conductor-answers", "services", (), site.queue(f"conductor.{site.layout.controller.name}")),
    )
    below, driver, after = _hypervisor(site)
    daemon = Daemon(
        "nova-compute",
        "services",
        (*(wait.name for wait in waits), *after),
        ("/usr/bin/nova-compute", "--config-file", _CONF, "--config-file", _COMPUTE_CONF),
        "nova",
        reads=(_CONF, *(file.path for file in below.files), _COMPUTE_CONF),
        ready=site.queue(f"compute.{server.name}"),
    )
    conf = File(_COMPUTE_CONF, f"[DEFAULT]\ncompute_driver = {driver}\n")
    return Parts(("nova-compute",)) + below + Parts(files=(conf,), units=(*waits, daemon))


def _hypervisor(site: Site) -> tuple[Parts, str, tuple[str, ...]]:
    """Return what nova-compute stands on, its driver for that, and the units that it comes after."""
    if site.driver == "libvirt":
        return libvirt(), "libvirt.LibvirtDriver", (LIBVIRTD,)
    driver = files("rallyflow.deployers.debian.drivers").joinpath("nova_fake.py").read_text(encoding="utf-8")
    return Parts(("nova-compute-ironic",), files=(File(_DRIVER, driver),)), "rallyflow_fake.RallyflowFakeDriver", ()
