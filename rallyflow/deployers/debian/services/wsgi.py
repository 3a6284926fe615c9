"""An API under uWSGI: processes with one thread each, since under threads some requests are never answered."""

from __future__ import annotations

from collections.abc import Sequence

from rallyflow.deployers.debian.agent.plan import Daemon, File
from rallyflow.deployers.debian.ini import render
from rallyflow.deployers.debian.site import PORTS, Parts, Site

PROCESSES = 2


def wsgi(
    site: Site, name: str, user: str, script: str, reads: Sequence[str], after: Sequence[str], arguments: str = ""
) -> Parts:
    """Return the daemon of an API, and its uWSGI file; the workflow's `uwsgi: {NAME: …}` goes into that."""
    path = f"/etc/rallyflow/{name}.ini"
    options: dict[str, str | int | float | bool | Sequence[str | int | float | bool]] = {
        "plugins": "python3",
        "http-socket": f"0.0.0.0:{PORTS[name]}",
        "wsgi-file": script,
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
    if arguments:
        options["pyargv"] = arguments
    merged = {**options, **site.config.get("uwsgi", {}).get(name, {})}
    content = render({"uwsgi": merged})
    return Parts(
        files=(File(path, content),),
        units=(
            Daemon(
                name,
                "identity" if name == "keystone" else "services",
                tuple(after),
                ("/usr/bin/uwsgi_python3", "--ini", path),
                user,
                {},
                (path, *reads),
                site.answers(name),
            ),
        ),
    )
