"""HAProxy, on the first controller of clouds with several: it has the addresses of the APIs, and spreads requests."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Daemon, File, Wait
from rallyflow.deployers.debian.services import heat
from rallyflow.deployers.debian.site import PORTS, SHARED, Parts, Site, probe

NAME = "haproxy"
_CONF = "/etc/rallyflow/haproxy.cfg"
_HEAD = """\
global
    maxconn 1900

defaults
    mode http
    option httpclose
    balance leastconn
    retries 3
    option redispatch 1
    timeout connect 10s
    timeout client 15m
    timeout server 15m
    timeout queue 15m
    timeout check 2m
    default-server inter 2s fastinter 500ms downinter 1s fall 2 rise 1
"""
"""An API that refuses connections gets no requests, and those that it refused go to another one at once. One that is
busy keeps its share: its checks may wait in its queue as long as requests do. Connections end with their request, as
uWSGI ends them too. `maxconn` takes two files a connection, which stays below 4096, a usual limit of a process. There
is no statistics socket, and nothing listens but the APIs."""


def balancer(site: Site) -> Parts:
    """Return the parts of the first controller."""
    names = [name for name in SHARED if name != "heat-api" or heat.NAME in site.optional]
    content = "\n".join([_HEAD, *(_service(site, name) for name in names)])
    daemon = Daemon(
        NAME,
        "identity",
        ("keystone",),
        ("/usr/sbin/haproxy", "-db", "-f", _CONF),
        "haproxy",
        reads=(_CONF,),
        ready=site.answers("keystone"),
    )
    waits = (Wait(f"{name}-balanced", "services", (NAME, name), site.answers(name)) for name in names)
    return Parts((NAME,), files=(File(_CONF, content),), units=(daemon, *waits))


def _service(site: Site, name: str) -> str:
    servers = (f"    server {each.name} {site.behind(name, each)} check\n" for each in site.layout.controllers)
    return (
        f"listen {name}\n    bind {site.host}:{PORTS[name]}\n    option httpchk GET {probe(name)}\n{''.join(servers)}"
    )
