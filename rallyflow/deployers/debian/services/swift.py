"""Object storage, on the first controller of clouds that want it: one device, one replica, and what a request needs."""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Account, Command, Daemon, File, Folder, Ready
from rallyflow.deployers.debian.ini import Options
from rallyflow.deployers.debian.site import PORTS, Parts, Site, data

NAME = "swift"
ROLES = ("swiftoperator",)
_SWIFT, _PROXY = "/etc/swift/swift.conf", "/etc/swift/proxy-server.conf"
_STORES = {"account": 6202, "container": 6201, "object": 6200}
_DEVICE = "disk"
_FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "proxy-logging", "listing_formats", "bulk", "tempurl", "copy"),
    *("container-quotas", "account-quotas", "slo", "dlo", "versioned_writes"),
)
"""Those of the proxy that need no options."""


def swift(site: Site) -> Parts:
    """Return the parts of the first controller."""
    parts = Parts(
        ("swift-proxy", *(f"swift-{store}" for store in _STORES)),
        tuple(
            Folder(path, "swift") for path in (data("swift"), _devices(), f"{_devices()}/{_DEVICE}", "/var/cache/swift")
        ),
        (File(_SWIFT, site.options("swift", _common(site)), "swift", 0o640),),
        accounts=(
            Account(
                "swift", site.passwords.users["swift"], "swift", "object-store", site.url("swift-proxy", _ACCOUNT_PATH)
            ),
        ),
    )
    for store, port in _STORES.items():
        parts += _store(site, store, port)
    return parts + _proxy(site)


_ACCOUNT_PATH = "/v1/AUTH_%(project_id)s"


def _devices() -> str:
    return data("swift/devices")


def _common(site: Site) -> Options:
    """The hash that places objects: it may never change while there are any, so it comes from the passwords."""
    return {
        "swift-hash": {"swift_hash_path_suffix": site.passwords.users["swift"]},
        "storage-policy:0": {"name": "gold", "default": "yes"},
    }


def _store(site: Site, store: str, port: int) -> Parts:
    conf = f"/etc/swift/{store}-server.conf"
    ring = f"{data('swift')}/{store}.builder"
    builder = f"swift-ring-builder {ring}"
    steps = (
        f"rm -f {ring} && {builder} create 10 1 1",
        f"{builder} add r1z1-127.0.0.1:{port}/{_DEVICE} 1",
        f"{builder} rebalance",
        f"cp {data('swift')}/{store}.ring.gz /etc/swift/{store}.ring.gz",
    )
    options: Options = {
        "DEFAULT": {
            "bind_ip": "127.0.0.1",
            "bind_port": port,
            "user": "swift",
            "devices": _devices(),
            "mount_check": False,
            "workers": 1,
        },
        "pipeline:main": {"pipeline": f"healthcheck recon {store}-server"},
        f"app:{store}-server": {"use": f"egg:swift#{store}"},
        "filter:healthcheck": {"use": "egg:swift#healthcheck"},
        "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": "/var/cache/swift"},
    }
    return Parts(
        files=(File(conf, site.options(f"swift-{store}", options), "swift", 0o640),),
        units=(
            Command(f"swift-{store}-ring", "databases", (), ("/bin/sh", "-c", " && ".join(steps)), stamp=str(port)),
            Daemon(
                f"swift-{store}",
                "services",
                (f"swift-{store}-ring",),
                (f"/usr/bin/swift-{store}-server", conf),
                "swift",
                reads=(_SWIFT, conf),
                ready=Ready("http", f"http://127.0.0.1:{port}/healthcheck"),
            ),
        ),
    )


def _proxy(site: Site) -> Parts:
    options: Options = {
        "DEFAULT": {"bind_ip": "0.0.0.0", "bind_port": PORTS["swift-proxy"], "user": "swift", "workers": 2},  # noqa: S104
        "pipeline:main": {
            "pipeline": "catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl "
            "authtoken keystoneauth copy container-quotas account-quotas slo dlo versioned_writes "
            "proxy-logging proxy-server"
        },
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": True},
        **{f"filter:{name}": {"use": "egg:swift#" + name.replace("-", "_")} for name in _FILTERS},
        "filter:cache": {"use": "egg:swift#memcache", "memcache_servers": site.memcached},
        "filter:authtoken": {
            "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
            "delay_auth_decision": True,
            **site.token_check("swift"),
            "service_token_roles_required": False,
        },
        "filter:keystoneauth": {"use": "egg:swift#keystoneauth", "operator_roles": "admin, swiftoperator, member"},
    }
    daemon = Daemon(
        "swift-proxy",
        "services",
        (*(f"swift-{store}" for store in _STORES), "memcached", "catalogue"),
        ("/usr/bin/swift-proxy-server", _PROXY),
        "swift",
        reads=(_SWIFT, _PROXY),
        ready=Ready("http", site.url("swift-proxy", "/healthcheck")),
    )
    return Parts(files=(File(_PROXY, site.options("swift-proxy", options), "swift", 0o640),), units=(daemon,))
