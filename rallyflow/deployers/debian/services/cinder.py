"""Volumes: the API and the scheduler on the controllers, cinder-volume where they are stored."""

from __future__ import annotations

from importlib.resources import files

from rallyflow.deployers.debian.agent.plan import Account, Daemon, File, Folder, Schema, Wait
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF = "/etc/cinder/cinder.conf"
_DRIVER = "/usr/lib/python3/dist-packages/cinder/volume/drivers/rallyflow_fake.py"


def cinder(site: Site, server: Placed) -> Parts:
    """Return the parts of one server."""
    controller, storage = (role in server.roles for role in (Role.CONTROLLER, Role.STORAGE))
    parts = Parts()
    if controller or storage:
        state = data("cinder")
        folders = tuple(Folder(path, "cinder") for path in (state, f"{state}/locks", f"{state}/conversion"))
        parts += Parts(folders=folders, files=(File(_CONF, _conf(site, server), "cinder", 0o640),))
    if controller:
        parts += _controller(site, server)
    if storage:
        parts += _volume(site, server)
    return parts


def _conf(site: Site, server: Placed) -> str:
    quotas = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes", "groups")
    return site.options(
        "cinder",
        {
            "DEFAULT": {
                "state_path": data("cinder"),
                "host": server.name,
                "my_ip": server.address,
                "transport_url": site.transport,
                "auth_strategy": "keystone",
                "enabled_backends": "fake",
                "glance_api_servers": site.url("glance-api"),
                "image_conversion_dir": data("cinder/conversion"),
                **{f"quota_{name}": -1 for name in quotas},
            },
            "fake": {
                "volume_driver": "cinder.volume.drivers.rallyflow_fake.RallyflowFakeDriver",
                "volume_backend_name": "fake",
            },
            "database": {"connection": site.database("cinder")},
            "keystone_authtoken": site.token_check("cinder"),
            "service_user": {"send_service_user_token": True, **site.login("cinder")},
            "nova": site.login("nova"),
            "oslo_concurrency": {"lock_path": data("cinder/locks")},
        },
    )


def _controller(site: Site, server: Placed) -> Parts:
    after = ("cinder-tables", "rabbitmq", "keystone")
    api = Api("cinder-api", "cinder", "/usr/bin/cinder-wsgi", (_CONF,), after)
    scheduler = Daemon(
        "cinder-scheduler",
        "services",
        ("cinder-tables", "rabbitmq"),
        ("/usr/bin/cinder-scheduler",),
        "cinder",
        reads=(_CONF,),
        ready=site.queue(f"cinder-scheduler.{server.name}"),
    )
    tables = Schema(
        "cinder-tables",
        "databases",
        ("databases",),
        ("cinder",),
        site.key("python3-cinder"),
        (("cinder-manage", "db", "sync"),),
        user="cinder",
    )
    url = site.url("cinder-api", "/v3/%(project_id)s")
    return wsgi(site, server, api) + Parts(
        ("cinder-api", "cinder-scheduler"),
        units=(site.once(server, tables, site.answers("cinder-api")), scheduler),
        accounts=(Account("cinder", site.passwords.users["cinder"], "cinderv3", "volumev3", url),),
        databases={"cinder": "cinder"},
    )


def _volume(site: Site, server: Placed) -> Parts:
    driver = files("rallyflow.deployers.debian.drivers").joinpath("cinder_fake.py").read_text(encoding="utf-8")
    wait = Wait("cinder-scheduler-answers", "services", (), site.queue("cinder-scheduler"))
    daemon = Daemon(
        "cinder-volume",
        "services",
        (wait.name,),
        ("/usr/bin/cinder-volume",),
        "cinder",
        reads=(_CONF, _DRIVER),
        ready=site.queue(f"cinder-volume.{server.name}@fake.{server.name}"),
    )
    return Parts(("cinder-volume",), files=(File(_DRIVER, driver),), units=(wait, daemon))
