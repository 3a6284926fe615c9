"""Orchestration, on the controllers of clouds that want it."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Account, Daemon, File, Schema
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.services.wsgi import Api, wsgi
from rallyflow.deployers.debian.site import Parts, Site

NAME = "heat"
_CONF = "/etc/heat/heat.conf"
DOMAIN, DOMAIN_ADMIN = "heat", "heat_domain_admin"
"""Where heat keeps the users of stacks, and who makes them there."""
ROLES = ("heat_stack_owner", "heat_stack_user")


def heat(site: Site, server: Placed) -> Parts:
    """Return the parts of a controller."""
    api = Api("heat-api", "heat", "/usr/bin/heat-wsgi-api", (_CONF,), ("heat-tables", "rabbitmq", "catalogue"))
    engine = Daemon(
        "heat-engine",
        "services",
        ("heat-tables", "rabbitmq", "catalogue"),
        ("/usr/bin/heat-engine",),
        "heat",
        reads=(_CONF,),
        ready=site.queue(f"engine.{server.name}"),
    )
    tables = Schema(
        "heat-tables",
        "databases",
        ("databases",),
        ("heat",),
        site.key("python3-heat"),
        (("heat-manage", "db_sync"),),
        user="heat",
    )
    url = site.url("heat-api", "/v1/%(project_id)s")
    return wsgi(site, server, api) + Parts(
        ("heat-api", "heat-engine"),
        files=(File(_CONF, _conf(site, server), "heat", 0o640),),
        units=(site.once(server, tables, site.answers("heat-api")), engine),
        accounts=(Account("heat", site.passwords.users["heat"], "heat", "orchestration", url),),
        databases={"heat": "heat"},
    )


def _conf(site: Site, server: Placed) -> str:
    login = site.login("heat")
    trustee = ("auth_type", "auth_url", "username", "password", "user_domain_name")
    return site.options(
        "heat",
        {
            "DEFAULT": {
                "host": server.name,
                "transport_url": site.transport,
                "region_name_for_services": site.region,
                "num_engine_workers": 1,
                "stack_user_domain_name": DOMAIN,
                "stack_domain_admin": DOMAIN_ADMIN,
                "stack_domain_admin_password": site.passwords.users["heat"],
            },
            "database": {"connection": site.database("heat")},
            "keystone_authtoken": site.token_check("heat"),
            "trustee": {key: login[key] for key in trustee},
            "clients_keystone": {"auth_uri": site.auth_url},
        },
    )
