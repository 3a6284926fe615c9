"""Volumes: the API and the scheduler on the controllers, cinder-volume where they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from rallyflow.deployers.debian.agent.plan import Account, Command, Daemon, File, Folder, Ready, Schema, Wait
from rallyflow.deployers.debian.ini import Scalar
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF = "/etc/cinder/cinder.conf"
_DRIVER = "/usr/lib/python3/dist-packages/cinder/volume/drivers/rallyflow_fake.py"
_TARGETS, _TGT = data("cinder/targets"), "/etc/tgt/conf.d/rallyflow.conf"


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
                "enabled_backends": site.volume_driver,
                "glance_api_servers": site.url("glance-api"),
                "image_conversion_dir": data("cinder/conversion"),
                **{f"quota_{name}": -1 for name in quotas},
            },
            site.volume_driver: _backend(site, server),
            "database": {"connection": site.database("cinder")},
            "keystone_authtoken": site.token_check("cinder"),
            "service_user": {"send_service_user_token": True, **site.login("cinder")},
            "nova": site.login("nova"),
            "oslo_concurrency": {"lock_path": data("cinder/locks")},
        },
    )


def _backend(site: Site, server: Placed) -> Mapping[str, Scalar]:
    if site.volume_driver == "fake":
        return {
            "volume_driver": "cinder.volume.drivers.rallyflow_fake.RallyflowFakeDriver",
            "volume_backend_name": "fake",
        }
    return {
        "volume_driver": "cinder.volume.drivers.lvm.LVMVolumeDriver",
        "volume_backend_name": "lvm",
        "volume_group": site.volume_group,
        "target_helper": "tgtadm",
        "target_ip_address": server.address,
        "volumes_dir": _TARGETS,
    }


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
    wait = Wait("cinder-scheduler-answers", "services", (), site.queue("cinder-scheduler"))
    storage = _fake() if site.volume_driver == "fake" else _lvm(site)
    daemon = Daemon(
        "cinder-volume",
        "services",
        (wait.name, *(unit.name for unit in storage.units)),
        ("/usr/bin/cinder-volume",),
        "cinder",
        reads=(_CONF, *(file.path for file in storage.files)),
        ready=site.queue(f"cinder-volume.{server.name}@{site.volume_driver}.{server.name}"),
    )
    return Parts(("cinder-volume",)) + storage + Parts(units=(wait, daemon))


def _fake() -> Parts:
    driver = files("rallyflow.deployers.debian.drivers").joinpath("cinder_fake.py").read_text(encoding="utf-8")
    return Parts(files=(File(_DRIVER, driver),))


def _lvm(site: Site) -> Parts:
    """The volume group is not ours: it is only looked at. tgtd hands its volumes out, and needs no kernel module."""
    group = Command("volume-group", "services", (), ("vgs", "--noheadings", site.volume_group))
    daemon = Daemon("tgtd", "services", (), ("/usr/sbin/tgtd", "-f"), reads=(_TGT,), ready=Ready("tgt", "localhost"))
    return Parts(
        ("lvm2", "tgt"),
        (Folder(_TARGETS, "cinder"),),
        (File(_TGT, f"include {_TARGETS}/*\n"),),
        (group, daemon),
    )
