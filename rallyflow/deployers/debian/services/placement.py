"""Placement."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Account, File, Schema
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site

_CONF = "/etc/placement/placement.conf"


def placement(site: Site, server: Placed) -> Parts:
    """Return the parts of a controller."""
    conf = site.options(
        "placement",
        {
            "DEFAULT": {},
            "api": {"auth_strategy": "keystone"},
            "placement_database": {"connection": site.database("placement")},
            "keystone_authtoken": site.token_check("placement"),
        },
    )
    after = ("placement-tables", "keystone", "memcached")
    api = Api("placement-api", "placement", "/usr/bin/placement-api", (_CONF,), after)
    tables = Schema(
        "placement-tables",
        "databases",
        ("databases",),
        ("placement",),
        site.key("python3-placement"),
        (("placement-manage", "db", "sync"),),
        user="placement",
    )
    return wsgi(site, server, api) + Parts(
        ("placement-api",),
        files=(File(_CONF, conf, "placement", 0o640),),
        units=(site.once(server, tables, site.answers("placement-api")),),
        accounts=(
            Account(
                "placement", site.passwords.users["placement"], "placement", "placement", site.url("placement-api")
            ),
        ),
        databases={"placement": "placement"},
    )
