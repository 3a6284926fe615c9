"""An API under uWSGI: processes with one thread each, since under threads some requests are never answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rallyflow.deployers.debian.agent.plan import Daemon, File
from rallyflow.deployers.debian.ini import Scalar, render
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.site import PORTS, Parts, Site

PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Api:
    """An API, and the script that answers its requests."""

    name: str
    user: str
    script: str
    reads: tuple[str, ...]
    after: tuple[str, ...]
    arguments: str = ""


def wsgi(site: Site, server: Placed, api: Api) -> Parts:
    """Return the daemon of an API, and its uWSGI file; the workflow's `uwsgi: {NAME: …}` goes into that."""
    name = api.name
    path = f"/etc/rallyflow/{name}.ini"
    options: dict[str, Scalar | Sequence[Scalar]] = {
        "plugins": "python3",
        "http-socket": f"{site.binds(name, server)}:{PORTS[name]}",
        "wsgi-file": api.script,
        "master": True,
        "lazy-apps": True,
        "enable-threads": True,
        "processes": PROCESSES,
        "threads": 1,
        "listen": 100,
        "buffer-size": 65535,
        "die-on-term": True,
        "no-orphans": True,
        "wsgi-manage-chunked-input": True,
        "add-header": "Connection: close",
        "need-app": True,
        "disable-logging": True,
    }
    if api.arguments:
        options["pyargv"] = api.arguments
    merged = {**options, **site.config.get("uwsgi", {}).get(name, {})}
    content = render({"uwsgi": merged})
    return Parts(
        files=(File(path, content),),
        units=(
            Daemon(
                name,
                "identity" if name == "keystone" else "services",
                api.after,
                ("/usr/bin/uwsgi_python3", "--ini", path),
                api.user,
                {},
                (path, *api.reads),
                site.answers_on(name, server),
            ),
        ),
    )
