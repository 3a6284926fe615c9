"""Identity."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Command, File, Folder, Schema
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site, data

_CONF = "/etc/keystone/keystone.conf"


def keystone(site: Site, server: Placed) -> Parts:
    """Return the parts of a controller."""
    fernet, credential = data("keystone/fernet-keys"), data("keystone/credential-keys")
    conf = site.options(
        "keystone",
        {
            "DEFAULT": {},
            "database": {"connection": site.database("keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": f"{fernet}/"},
            "fernet_receipts": {"key_repository": f"{fernet}/"},
            "credential": {"key_repository": f"{credential}/"},
            "cache": {
                "enabled": True,
                "backend": "dogpile.cache.memcached",
                "memcache_servers": site.memcached,
            },
        },
    )
    keys = tuple(
        File(f"{folder}/{number}", key, "keystone", 0o600, "keystone")
        for folder, those in ((fernet, site.passwords.fernet), (credential, site.passwords.credential))
        for number, key in enumerate(those)
    )
    api = Api(
        "keystone",
        "keystone",
        "/usr/bin/keystone-wsgi-public",
        (_CONF, *(key.path for key in keys)),
        ("keystone-tables", "memcached"),
    )
    tables = Schema(
        "keystone-tables",
        "databases",
        ("databases",),
        ("keystone",),
        site.key("python3-keystone"),
        (("keystone-manage", "db_sync"),),
        user="keystone",
    )
    return wsgi(site, server, api) + Parts(
        ("keystone",),
        tuple(Folder(folder, "keystone", 0o700) for folder in (data("keystone"), fernet, credential)),
        (File(_CONF, conf, "keystone", 0o640), *keys),
        (
            site.once(server, tables, site.answers("keystone")),
            *((_bootstrap(site),) if site.is_first(server) else ()),
        ),
        databases={"keystone": "keystone"},
    )


def _bootstrap(site: Site) -> Command:
    """The administrator, and keystone's own endpoint. The password travels in the environment."""
    command = ["keystone-manage", "bootstrap", "--bootstrap-region-id", site.region]
    for interface in ("admin", "internal", "public"):
        command += [f"--bootstrap-{interface}-url", f"{site.auth_url}/"]
    env = {"OS_BOOTSTRAP_PASSWORD": site.passwords.users["admin"]}
    return Command(
        "keystone-bootstrap",
        "identity",
        ("keystone-tables",),
        tuple(command),
        "keystone",
        env,
        f"{site.region} {site.host}",
    )
