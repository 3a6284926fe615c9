"""Finds what runs have made in a cloud by the tags in its names, and removes it: no ledger is needed for that.

What lives in a project with a tag belongs to that tag too, whatever its own name is, and so do the projects and users
of a domain with one, and the key pairs of a user with one. What has neither a name nor such an owner, such as a
floating IP in a project of others, isn't found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rallyflow.clouds.resources import KINDS, SWEEP, WORKERS, Kind, goes_with_another, listed, remove
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import CloudRefused, NotFound, RallyflowError
from rallyflow.model.ids import Tag, parse_tag

ORDER = (*SWEEP, "keypair", "flavor", "user", "project", "domain")
"""The kinds that are looked for, in the order in which they can go."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object of a run in a cloud."""

    kind: str  # a key of KINDS
    id: str
    name: str
    tag: Tag


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found, in the order in which it can go; and whether we were shown the projects of others as well."""

    objects: tuple[Found, ...]
    everything: bool


@dataclass(frozen=True, slots=True)
class Stayed:
    """An object that could not be removed, and why."""

    object: Found
    error: RallyflowError


def scan(session: CloudSession) -> Scan:
    """Look through all services that the cloud has; raises CloudRefused or CloudUnreachable."""
    session.sign_in()
    _, domains = _owners(session, "domain", {})
    everything, projects = _owners(session, "project", domains)
    _, users = _owners(session, "user", domains)
    owners = {"user": domains, "project": domains}
    found = [each for name in ORDER for each in _found(session, name, owners.get(name, projects))]
    found += _keypairs_of(session, users)
    return Scan(tuple(sorted(dict.fromkeys(found), key=lambda each: ORDER.index(each.kind))), everything)


def remove_found(
    session: CloudSession, objects: Sequence[Found], removed: Callable[[Found], None] = lambda _found: None
) -> list[Stayed]:
    """Remove objects kind by kind, those of one kind at the same time, and wait until each is gone; returns the rest.

    An object that is gone already is fine. `removed` is called after each that is gone.
    """
    stayed: list[Stayed] = []
    for name in ORDER:
        chosen = [each for each in objects if each.kind == name]
        if not chosen:
            continue
        with ThreadPoolExecutor(min(WORKERS, len(chosen))) as pool:
            outcomes = list(pool.map(lambda each: _removed(session, each), chosen))
        for each, error in zip(chosen, outcomes, strict=True):
            if error is None:
                removed(each)
            else:
                stayed.append(Stayed(each, error))
    return stayed


def _removed(session: CloudSession, found: Found) -> RallyflowError | None:
    try:
        remove(session, found.kind, found.id)
    except RallyflowError as error:
        return error
    return None


def _owners(session: CloudSession, name: str, domains: Mapping[str, Tag]) -> tuple[bool, dict[str, Tag]]:
    """Return the domains, projects or users that have a tag, by id, and whether the cloud let us look at all.

    Those of a domain with a tag have that one.
    """
    try:
        entries = list(listed(session, KINDS[name]))
    except (CloudRefused, NotFound):
        return False, {}
    return True, {entry["id"]: tag for entry in entries if (tag := _tag_of(entry, domains, "domain_id"))}


def _tag_of(entry: Mapping[str, Any], owners: Mapping[str, Tag], owner: str) -> Tag | None:
    """Return the tag in an object's name, or else that of its owner."""
    return parse_tag(_name(entry)) or owners.get(str(entry.get(owner)))


def _found(session: CloudSession, name: str, owners: Mapping[str, Tag]) -> Iterator[Found]:
    kind = KINDS[name]
    owner = "domain_id" if name in ("user", "project") else kind.project
    for entry in _entries(session, kind):
        tag = _tag_of(entry, owners, owner)
        if tag is not None and not goes_with_another(name, entry):
            yield Found(name, quote(str(entry[kind.id])), _name(entry), tag)


def _entries(session: CloudSession, kind: Kind) -> Iterator[Mapping[str, Any]]:
    """Return what a list shows; nothing of a service or a list that the cloud does not have, or does not show us."""
    if not session.has(kind.service):
        return
    try:
        for entry in listed(session, kind):
            yield entry.get("keypair", entry)
    except (CloudRefused, NotFound):
        return


def _keypairs_of(session: CloudSession, users: Mapping[str, Tag]) -> Iterator[Found]:
    """Return the key pairs of users with a tag, which a cloud does not remove with them."""
    kind = KINDS["keypair"]
    if not users or not session.has(kind.service):
        return
    compute = session.service(kind.service)
    for user, tag in users.items():
        path = f"{kind.path}?user_id={user}"
        for entry in compute.request("GET", path, microversion=kind.microversion).json()[kind.key]:
            name = entry["keypair"]["name"]
            yield Found("keypair", f"{quote(name)}?user_id={user}", name, tag)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or "")
