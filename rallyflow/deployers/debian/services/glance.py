"""Images, in files on the first controller."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Account, File, Folder, Schema
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF = "/etc/glance/glance-api.conf"


def glance(site: Site, server: Placed) -> Parts:
    """Return the parts of the first controller. Only the import that needs no other store and no internet is on."""
    state = data("glance")
    conf = site.options(
        "glance",
        {
            "DEFAULT": {
                "enabled_backends": "file:file",
                "enabled_import_methods": "[glance-direct]",
                "node_staging_uri": f"file://{state}/staging",
                "worker_self_reference_url": site.url("glance-api"),
            },
            "database": {"connection": site.database("glance")},
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": f"{state}/images"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{state}/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{state}/tasks"},
            "paste_deploy": {"flavor": "keystone"},
            "keystone_authtoken": site.token_check("glance"),
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
        },
    )
    folders = (state, *(f"{state}/{name}" for name in ("images", "staging", "tasks", "locks")))
    after = ("glance-tables", "keystone", "memcached")
    api = Api("glance-api", "glance", "/usr/bin/glance-wsgi-api", (_CONF,), after)
    return wsgi(site, server, api) + Parts(
        ("glance",),
        tuple(Folder(folder, "glance", 0o750) for folder in folders),
        (File(_CONF, conf, "glance", 0o640),),
        (
            Schema(
                "glance-tables",
                "databases",
                ("databases",),
                ("glance",),
                site.key("python3-glance"),
                (("glance-manage", "db", "sync"), ("glance-manage", "db_load_metadefs")),
                user="glance",
            ),
        ),
        (Account("glance", site.passwords.users["glance"], "glance", "image", site.url("glance-api")),),
        {"glance": "glance"},
    )
