"""How a server looks on the wire. Rows are never changed in place, so what was rendered once stays good."""

from __future__ import annotations

from weakref import WeakKeyDictionary
from zlib import crc32

import orjson

from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Request, Version

_POWER = {"active": 1, "paused": 3, "stopped": 4, "suspended": 4, "rescued": 1, "resized": 1}
_ERAS = ((2, 9), (2, 19), (2, 26), (2, 47))
"""Microversions from which a server has other fields."""

_Rendered = dict[tuple[str, int, bool], tuple[Row, orjson.Fragment]]
_rendered: WeakKeyDictionary[Simulation, _Rendered] = WeakKeyDictionary()


def render(request: Request, row: Row) -> orjson.Fragment:
    """Return a server as JSON, as the asker and the microversion want it."""
    era = sum(request.version >= version for version in _ERAS)
    admin = request.identity.admin
    cache = _rendered.setdefault(request.cloud, {})
    known = cache.get((row["id"], era, admin))
    if known is not None and known[0] is row:
        return known[1]
    document = _shown(request.cloud.url, row, request.version)
    if admin:
        document |= _for_admin(row)
    fragment = orjson.Fragment(orjson.dumps(document))
    cache[row["id"], era, admin] = (row, fragment)
    return fragment


def forget(cloud: Simulation, server: str) -> None:
    """Drop what was rendered of a server that is gone."""
    cache = _rendered.get(cloud, {})
    for era in range(len(_ERAS) + 1):
        for admin in (False, True):
            cache.pop((server, era, admin), None)


def links(url: str, kind: str, key: str) -> list[Row]:
    """Return the links of a compute resource."""
    return [
        {"rel": "self", "href": f"{url}{SERVICE.prefix}/{kind}/{key}"},
        {"rel": "bookmark", "href": f"{url}/compute/{kind}/{key}"},
    ]


def _shown(url: str, row: Row, version: Version) -> Row:
    image = row["image"]
    shown = {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "metadata": row["metadata"],
        "hostId": row["host"] and f"{crc32(row['host'].encode()):08x}",
        "image": {"id": image, "links": links(url, "images", image)[1:]} if image else "",
        "flavor": _flavor(url, row["flavor"], version),
        "created": row["created"],
        "updated": row["updated"],
        "addresses": addresses(row) if row["vm_state"] != "building" else {},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(url, "servers", row["id"]),
        "key_name": row["key_name"],
        "config_drive": "",
        "security_groups": [{"name": name} for name in row["security_groups"]],
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": row["availability_zone"],
        "OS-EXT-STS:task_state": row["task_state"],
        "OS-EXT-STS:vm_state": row["vm_state"],
        "OS-EXT-STS:power_state": _POWER.get(row["vm_state"], 0),
        "OS-SRV-USG:launched_at": row["launched_at"],
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [{"id": volume} for volume in row["volumes"]],
    }
    if row["status"] in ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE"):
        shown["progress"] = 100 if row["status"] == "ACTIVE" else 0
    if row["fault"] and row["status"] == "ERROR":
        shown["fault"] = row["fault"]
    if version >= (2, 9):
        shown["locked"] = row["locked"]
    if version >= (2, 19):
        shown["description"] = row["description"]
    if version >= (2, 26):
        shown["tags"] = row["tags"]
    return shown


def _for_admin(row: Row) -> Row:
    return {
        "OS-EXT-SRV-ATTR:host": row["host"] or None,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": row["host"] or None,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{row['id'][:8]}",
    }


def _flavor(url: str, flavor: Row, version: Version) -> Row:
    if version < (2, 47):
        return {"id": flavor["id"], "links": links(url, "flavors", flavor["id"])[1:]}
    names = ("vcpus", "ram", "disk", "ephemeral", "swap", "extra_specs")
    return {"original_name": flavor["name"]} | {name: flavor[name] for name in names}


def addresses(row: Row) -> Row:
    """Return the addresses of a server by the name of their network."""
    shown: Row = {}
    for nic in row["nics"]:
        shown.setdefault(nic["network"], []).append(
            {
                "version": 6 if ":" in nic["address"] else 4,
                "addr": nic["address"],
                "OS-EXT-IPS:type": nic.get("kind", "fixed"),
                "OS-EXT-IPS-MAC:mac_addr": nic["mac"],
            }
        )
    return shown
