"""Finds what arguments such as `image: {name: cirros}` mean in a cloud, once, before the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rallyflow.bench.scenarios.linker import closest
from rallyflow.bench.scenarios.model import Kind, Scenario
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import InputsInvalid, NotFound


@dataclass(frozen=True, slots=True)
class _Collection:
    service: str
    path: str
    key: str


_COLLECTIONS: Mapping[Kind, _Collection] = {
    Kind.IMAGE: _Collection("image", "/images?limit=1000", "images"),
    Kind.FLAVOR: _Collection("compute", "/flavors", "flavors"),
    Kind.NETWORK: _Collection("network", "/networks", "networks"),
}


def resolve_args(
    scenario: Scenario,
    args: Mapping[str, Any],
    session: CloudSession | None,
    prepared: Mapping[str, str],
) -> dict[str, Any]:
    """Return a final value for every argument of a scenario.

    `prepared` maps `Image:NAME` and the like to the ids of what contexts made; the cloud is asked for the
    rest. Raises NotFound, with the closest name, and InputsInvalid when a name is ambiguous.
    """
    values = {name: args.get(name, arg.default) for name, arg in scenario.model.args.items()}
    for name, arg in scenario.model.args.items():
        if arg.type.in_cloud and values[name] is not None:
            values[name] = _find(arg.type, values[name], session, prepared)
    return values


def _find(kind: Kind, given: Mapping[str, str], session: CloudSession | None, prepared: Mapping[str, str]) -> str:
    if "id" in given:
        return str(given["id"])
    name = str(given["name"])
    if f"{kind.value}:{name}" in prepared:
        return prepared[f"{kind.value}:{name}"]
    if session is None:
        raise InputsInvalid(f"{kind.value.lower()} {name!r} needs a cloud", hint="give the step `cloud:`")
    collection = _COLLECTIONS[kind]
    listed = session.service(collection.service).get(collection.path).json()[collection.key]
    return _only(kind, name, listed)


def _only(kind: Kind, name: str, listed: list[dict[str, Any]]) -> str:
    found = [entry["id"] for entry in listed if entry["name"] == name]
    if not found:
        hint = closest(name, [entry["name"] for entry in listed if entry["name"]])
        raise NotFound(f"the cloud has no {kind.value.lower()} {name!r}", hint=hint)
    if len(found) > 1:
        raise InputsInvalid(
            f"the cloud has {len(found)} {kind.value.lower()}s called {name!r}",
            hint=f"say which one by id: {', '.join(found[:5])}",
        )
    return str(found[0])
