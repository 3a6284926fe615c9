"""Removes objects of an OpenStack from what the ledger says, in a process that may never have seen the run.

`resource.detail["cloud"]` is the `Cloud` that an object lives in. Most kinds are one object;
`openstack.objects` is everything that a load left: what has a name that begins with the resource's name, and
what lives in the projects `detail["projects"]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlparse

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.rest import CloudSession, Service
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, InternalError, NotFound, TransientError
from rallyflow.model.records import Resource
from rallyflow.model.values import Cloud

if TYPE_CHECKING:
    from tenacity import RetryCallState

WORKERS = 16
PATIENCE = 300.0
"""Seconds that an object may take to go once the cloud has agreed to remove it."""
PATIENCE_REFUSED = 20.0
"""Seconds for which the cloud may say that it can't be removed now, because something uses it."""
PATIENCE_SILENT = 10.0
"""Seconds for which the cloud may not answer at all."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Where objects of one kind are in the API. `everywhere` lists those of all projects, for admins."""

    service: str
    path: str
    key: str
    everywhere: str = ""
    project: str = "project_id"
    id: str = "id"
    microversion: str = ""


KINDS: Mapping[str, Kind] = {
    "server": Kind("compute", "/servers", "servers", "/servers/detail?all_tenants=1", "tenant_id"),
    "volume": Kind(
        "block-storage",
        "/volumes",
        "volumes",
        "/volumes/detail?all_tenants=1",
        "os-vol-tenant-attr:tenant_id",
    ),
    "snapshot": Kind(
        "block-storage",
        "/snapshots",
        "snapshots",
        "/snapshots/detail?all_tenants=1",
        "os-extended-snapshot-attributes:project_id",
    ),
    "image": Kind("image", "/images", "images", "/images?limit=1000", "owner"),
    "flavor": Kind("compute", "/flavors", "flavors", "/flavors?is_public=None"),
    "floatingip": Kind("network", "/floatingips", "floatingips"),
    "port": Kind("network", "/ports", "ports"),
    "router": Kind("network", "/routers", "routers"),
    "subnet": Kind("network", "/subnets", "subnets"),
    "network": Kind("network", "/networks", "networks"),
    "security_group": Kind("network", "/security-groups", "security_groups"),
    "keypair": Kind("compute", "/os-keypairs", "keypairs", id="name", microversion="compute 2.10"),
    "user": Kind("identity", "/users", "users"),
    "project": Kind("identity", "/projects", "projects"),
    "domain": Kind("identity", "/domains", "domains"),
}
SWEEP = (
    "server",
    "snapshot",
    "volume",
    "image",
    "floatingip",
    "router",
    "port",
    "subnet",
    "network",
    "security_group",
)
"""What `openstack.objects` removes, in the order in which they can go."""


class OpenStackObjects:
    """The handler of the kinds `openstack.…`."""

    def delete(self, resource: Resource) -> None:
        """Remove what a row of the ledger stands for and wait until it is gone; gone already is fine.

        Raises StepError: CloudUnreachable or CloudAnswered when something stays, NotFound without its file.
        """
        kind = resource.kind.partition(".")[2]
        session = _session_of(Cloud.model_validate(resource.detail["cloud"]))
        if kind == "objects":
            sweep(session, resource.name, frozenset(resource.detail.get("projects", ())))
        elif kind in KINDS:
            for identity in _identities(session, KINDS[kind], resource):
                remove(session, kind, identity)
        else:
            raise InternalError(f"nobody knows how to remove a {resource.kind}")


def _session_of(cloud: Cloud) -> CloudSession:
    try:
        return _session(cloud.model_dump_json())
    except NotFound as error:
        what = f"can't be removed: {error.what}, and with it how to sign in to the cloud {cloud.name}"
        raise NotFound(what, hint=f"is there still a cloud at {cloud.auth_url}?") from error


@lru_cache(maxsize=4)
def _session(cloud: str) -> CloudSession:
    """Return a session of a cloud given as JSON, which unlike the cloud itself can be a key of the cache."""
    return sign_in(Cloud.model_validate_json(cloud))


def _identities(session: CloudSession, kind: Kind, resource: Resource) -> list[str]:
    """Return the ids of a resource; `id` or `description` in its detail tell it from others of the same name."""
    known = resource.external_id or resource.detail.get("id")
    if known:
        return [str(known)]
    described = resource.detail.get("description")
    return [
        entry[kind.id]
        for entry in listed(session, kind)
        if entry.get("name") == resource.name and described in (None, entry.get("description"))
    ]


def _named(session: CloudSession, kind: Kind, name: str) -> list[str]:
    return [entry[kind.id] for entry in listed(session, kind) if entry.get("name") == name]


def remove_named(session: CloudSession, name: str, object_name: str) -> None:
    """Remove the objects of a kind that have a name, if there are any, and wait until they are gone."""
    for identity in _named(session, KINDS[name], object_name):
        remove(session, name, identity)


def sweep(session: CloudSession, prefix: str, projects: Collection[str]) -> None:
    """Remove everything whose name begins with `prefix` or that lives in one of `projects`."""
    for name in SWEEP:
        kind = KINDS[name]
        if not session.has(kind.service):
            continue
        found = [
            entry["id"]
            for entry in listed(session, kind)
            if (str(entry.get("name") or "").startswith(prefix) or entry.get(kind.project) in projects)
            and not goes_with_another(name, entry)
        ]
        _all(lambda identity, name=name: remove(session, name, identity), found)  # type: ignore[misc]


def goes_with_another(name: str, entry: Mapping[str, Any]) -> bool:
    """Whether an object can't be removed by itself: it goes with its project, its router or its network."""
    if name == "security_group":
        return bool(entry["name"] == "default")
    return name == "port" and str(entry.get("device_owner") or "").startswith("network:")


def _all(do: Callable[[str], None], items: Sequence[str]) -> None:
    """Do something to all items at once; raises the first error after all have been tried."""
    if not items:
        return
    with ThreadPoolExecutor(min(WORKERS, len(items))) as pool:
        futures = [pool.submit(do, item) for item in items]
    for future in futures:
        future.result()


def remove(session: CloudSession, name: str, identity: str) -> None:
    """Remove one object of a kind and wait until it is gone. Passing errors and conflicts are tried again."""
    from tenacity import Retrying, retry_if_exception_type, wait_exponential

    kind = KINDS[name]
    service = session.service(kind.service)
    retrying = Retrying(
        retry=retry_if_exception_type((TransientError, _StillThere)),
        stop=_Patience(),
        wait=wait_exponential(multiplier=0.05, exp_base=1.5, max=2.0),
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            _remove_once(session, service, name, identity)


class _StillThere(CloudAnswered):
    """The object is not gone yet."""


class _InUse(_StillThere):
    """The cloud does not even begin to remove it, perhaps because something that is going uses it."""


class _Patience:
    """Says when it is time to give an object up."""

    def __init__(self) -> None:
        self._heard = time.monotonic()

    def __call__(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CloudUnreachable):
            return time.monotonic() - self._heard > PATIENCE_SILENT
        self._heard = time.monotonic()
        patience = PATIENCE_REFUSED if isinstance(error, _InUse) else PATIENCE
        return (state.seconds_since_start or 0.0) > patience


def _remove_once(session: CloudSession, service: Service, name: str, identity: str) -> None:
    path = f"{KINDS[name].path}/{identity}"
    if name == "router":
        _detach(service, identity)
    if name == "project":
        _remove_security_groups(session, identity)
    if name == "domain":  # Keystone removes none that is enabled
        service.request("PATCH", path, b'{"domain": {"enabled": false}}', accept=(404,))
    version = KINDS[name].microversion
    reply = service.request("DELETE", path, microversion=version, accept=(404, 409, 400))
    if reply.status == 404:
        return
    shown = service.request("GET", path, microversion=version, accept=(404,))
    if shown.status != 404 and not _is_gone(shown.json()):
        if reply.status >= 400:
            raise _InUse(f"{name} {identity} can't be removed: {reply.body[:200].decode(errors='replace')}")
        raise _StillThere(f"{name} {identity} is still there")


def _is_gone(shown: Mapping[str, Any]) -> bool:
    """Whether what a GET shows is only a shadow: some services show deleted objects for a while."""
    inner = next(iter(shown.values())) if len(shown) == 1 else shown
    return isinstance(inner, Mapping) and str(inner.get("status", "")).lower() in ("deleted", "soft_deleted")


def _detach(network: Service, router: str) -> None:
    """Take a router off its subnets, without which it can't go."""
    ports = network.get(f"/ports?device_id={router}").json()["ports"]
    subnets = {address["subnet_id"] for port in ports for address in port.get("fixed_ips", ())}
    for subnet in subnets:
        path = f"/routers/{router}/remove_router_interface"
        network.put(path, {"subnet_id": subnet}, accept=(404, 409))


def _remove_security_groups(session: CloudSession, project: str) -> None:
    """Remove the default group that Neutron made for a project: nobody else ever does, and nobody would find it."""
    if not session.has("network"):
        return
    network = session.service("network")
    listed = network.get(f"/security-groups?project_id={project}").json()["security_groups"]
    for group in listed:
        reply = network.delete(f"/security-groups/{group['id']}", accept=(404, 409))
        if reply.status == 409 and b"SecurityGroupInUse" in reply.body:  # else it is one that nobody may remove
            raise _InUse(f"project {project} has something left: {reply.body[:200].decode(errors='replace')}")


def listed(session: CloudSession, kind: Kind) -> Iterator[dict[str, Any]]:
    """Return what a list shows, all pages; of all projects if the cloud lets us, of our own otherwise."""
    service = session.service(kind.service)
    try:
        page = service.get(kind.everywhere or kind.path).json()
    except CloudRefused:
        page = service.get(kind.path).json()
    while True:
        yield from page[kind.key]
        path = next_page(page, kind.key, service.endpoint)
        if path is None:
            return
        page = service.get(path).json()


def next_page(page: Mapping[str, Any], key: str, endpoint: str) -> str | None:
    """Return the path of the next page of a list, in any of the services' manners; None on the last page."""
    links: Any = page.get(f"{key}_links") or page.get("links") or []
    listed = links if isinstance(links, list) else [{"rel": "next", "href": links.get("next")}]
    address = next((link["href"] for link in listed if link.get("rel") == "next"), None) or page.get("next")
    if not address:
        return None
    target, base = urlparse(str(address)), urlparse(endpoint)
    path = target.path.removeprefix(base.path)
    version = base.path.rstrip("/").rpartition("/")[2]
    path = path.removeprefix(f"/{version}") if path.startswith(f"/{version}/") else path
    return f"{quote(path)}?{target.query}" if target.query else quote(path)
