"""The place in a cloud where one verification's Tempest works: a domain of its own, with an admin of its own.

All users and projects that Tempest makes are in that domain, whatever their names are, so that they can be found after
a crash; and the password of the cloud's own admin is in no file of Tempest. The handler removes the domain with all
that is in its projects, and what has the tag in its name elsewhere: images, flavors, volume types, roles.
"""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.resources import KINDS, listed, remove, sweep
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import CloudAnswered, CloudRefused, InternalError, NotFound
from rallyflow.model.records import Resource
from rallyflow.model.values import Cloud
from rallyflow.verifiers.tempest.conf import Account

KIND = "tempest.workspace"
_BLANK = 1024 * 1024
"""Bytes of the image that is made where a cloud has none: enough for every test that boots nothing real."""


def make_account(session: CloudSession, name: str) -> Account:
    """Make the domain `name` with a project and an admin in it. Raises CloudRefused when we may not."""
    keystone = session.service("identity")
    described = {"name": name, "description": "made by rallyflow for one verification", "enabled": True}
    domain = keystone.post("/domains", {"domain": described}).json()["domain"]["id"]
    account = Account(name, f"{secrets.token_urlsafe(18)}aA1!", name, name, domain)
    project = _made(keystone, "project", {"name": account.project, "domain_id": domain})
    user = _made(keystone, "user", {"name": account.username, "domain_id": domain, "password": account.password})
    admin = next((role["id"] for role in keystone.get("/roles?name=admin").json()["roles"]), None)
    if admin is None:
        raise NotFound("the cloud has no role `admin`", hint="`isolate: false` uses the user in clouds.yaml")
    keystone.put(f"/projects/{project}/users/{user}/roles/{admin}")
    keystone.put(f"/domains/{domain}/users/{user}/roles/{admin}")
    return account


def _made(keystone: Any, kind: str, content: Mapping[str, Any]) -> str:
    return str(keystone.post(f"/{kind}s", {kind: content}).json()[kind]["id"])


def given_account(session: CloudSession) -> Account:
    """Return the user in the cloud's clouds.yaml. Raises NotFound when it signs in without a password."""
    auth = session.login.auth
    missing = [name for name in ("username", "password", "project_name") if not auth.get(name)]
    if missing:
        raise NotFound(
            f"Tempest signs in with a password, and clouds.yaml has no {missing[0]}", hint="leave `isolate` as it is"
        )
    domain = auth.get("user_domain_name") or auth.get("project_domain_name") or "Default"
    return Account(str(auth["username"]), str(auth["password"]), str(auth["project_name"]), str(domain))


def make_image(session: CloudSession, name: str, file: BinaryIO | None, size: int) -> str:
    """Upload a public image, of a file or blank; returns its id."""
    glance = session.service("image")
    wanted = {
        "name": name,
        "disk_format": "qcow2" if file else "raw",
        "container_format": "bare",
        "visibility": "public",
    }
    image = str(glance.post("/images", wanted).json()["id"])
    glance.upload(f"/images/{image}/file", file or io.BytesIO(bytes(_BLANK)), size if file else _BLANK)
    return image


def make_flavor(session: CloudSession, name: str, ram: int, disk: int) -> str:
    """Make a public flavor with so many MB of memory and GB of disk; returns its id."""
    wanted = {"name": name, "ram": ram, "disk": disk, "vcpus": 1}
    return str(session.service("compute").post("/flavors", {"flavor": wanted}).json()["flavor"]["id"])


class TempestWorkspaces:
    """The handler of the kinds `tempest.…`."""

    def delete(self, resource: Resource) -> None:
        """Remove the domain, and all that tests have made; gone already is fine. Raises StepError when something stays.

        `resource.name` is the prefix of what we have made; `detail["prefixes"]` are those of what tests have made.
        """
        if resource.kind != KIND:
            raise InternalError(f"nobody knows how to remove a {resource.kind}")
        prefixes = (resource.name, *resource.detail.get("prefixes", ()))
        session = sign_in(Cloud.model_validate(resource.detail["cloud"]))
        domains = _domains(session, prefixes)
        projects = [each["id"] for domain in domains for each in _within(session, "projects", domain)]
        users = [each["id"] for domain in domains for each in _within(session, "users", domain)]
        _remove_keypairs(session, users)
        for prefix in prefixes:
            sweep(session, prefix, frozenset(projects))
        for kind, chosen in (("user", users), ("project", projects)):
            for identity in chosen:
                remove(session, kind, identity)
        _remove_named(session, prefixes)
        for domain in domains:
            remove(session, "domain", domain)


def _domains(session: CloudSession, prefixes: tuple[str, ...]) -> list[str]:
    """Return the domains whose names have a prefix: Tempest's own, and those that tests have made."""
    try:
        found = session.service("identity").get("/domains").json()["domains"]
    except CloudRefused:  # who may not see domains has made none
        return []
    return [each["id"] for each in found if str(each["name"]).startswith(prefixes)]


def _within(session: CloudSession, kind: str, domain: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.service("identity").get(f"/{kind}?domain_id={domain}").json()[kind]
    return found


def _remove_keypairs(session: CloudSession, users: Iterable[str]) -> None:
    """Remove the key pairs of users, which no cloud removes with them."""
    if not session.has("compute"):
        return
    compute, kind = session.service("compute"), KINDS["keypair"]
    for user in users:
        with contextlib.suppress(NotFound):
            path = f"{kind.path}?user_id={user}"
            for entry in compute.request("GET", path, microversion=kind.microversion).json()[kind.key]:
                remove(session, "keypair", f"{quote(entry['keypair']['name'])}?user_id={user}")


_ELSEWHERE = (
    ("compute", "/os-aggregates", "aggregates"),
    ("block-storage", "/types?is_public=None", "volume_types"),
    ("block-storage", "/qos-specs", "qos_specs"),
    ("block-storage", "/group_types", "group_types"),
    ("identity", "/roles", "roles"),
    ("identity", "/services", "services"),
    ("network", "/subnetpools", "subnetpools"),
    ("network", "/address-scopes", "address_scopes"),
    ("network", "/qos/policies", "policies"),
)
"""What belongs to no project: service, list, and the key of the list."""


def _remove_named(session: CloudSession, prefixes: tuple[str, ...]) -> None:
    """Remove what belongs to no project, and whose name begins with a prefix."""
    if session.has("compute"):
        for flavor in [each for each in listed(session, KINDS["flavor"]) if str(each["name"]).startswith(prefixes)]:
            remove(session, "flavor", flavor["id"])
    for service, path, entry in _found_elsewhere(session, prefixes):
        if path == "/os-aggregates":
            for host in entry.get("hosts", ()):
                session.service(service).post(f"{path}/{entry['id']}/action", {"remove_host": {"host": host}})
        session.service(service).delete(f"{path}/{entry['id']}", accept=(404,))


def _found_elsewhere(session: CloudSession, prefixes: tuple[str, ...]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for service, path, key in _ELSEWHERE:
        if not session.has(service):
            continue
        try:
            entries = session.service(service).get(path).json()[key]
        except (CloudRefused, CloudAnswered, NotFound, KeyError):  # the cloud has no such thing, or not for us
            continue
        for entry in entries:
            if str(entry.get("name") or "").startswith(prefixes):
                yield service, path.partition("?")[0], entry
