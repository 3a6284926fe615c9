"""Security groups and their rules; every project has a default group from the first look on."""

from __future__ import annotations

from typing import Any

from rallyflow.clouds.embedded.services.neutron.collection import Collection, changed, picked
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request

_RULE: Row = {
    "security_group_id": "",
    "direction": "",
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
    "remote_address_group_id": None,
    "description": "",
}


def default_group(cloud: Simulation, project: str) -> Row:
    """Return the default group of a project, made when it is not there yet."""
    for row in cloud.store.rows("security_groups", project):
        if row["name"] == "default":
            return row
    group = GROUPS.insert(cloud, project, _group("default", "Default security group"))
    for ethertype in ("IPv4", "IPv6"):
        rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": ethertype}
        RULES.insert(cloud, project, _RULE | rule | {"remote_group_id": group["id"]})
    return group


def _group(name: str, description: str) -> Row:
    return {"name": name, "description": description, "stateful": True, "shared": False, "tags": []}


def _complete_group(request: Request, content: dict[str, Any]) -> Row:
    row = picked(content, {"name": "", "description": "", "stateful": True})
    if row["name"] == "default":
        raise Fault(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists")
    default_group(request.cloud, request.identity.project)
    return _group(str(row["name"]), str(row["description"]))


def _update_group(_request: Request, _row: Row, content: dict[str, Any]) -> Row:
    return changed(content, frozenset({"name", "description", "stateful"}))


def _group_created(cloud: Simulation, row: Row) -> None:
    for ethertype in ("IPv4", "IPv6"):
        rule = {"security_group_id": row["id"], "direction": "egress", "ethertype": ethertype}
        RULES.insert(cloud, row["project_id"], _RULE | rule)


def _removing_group(cloud: Simulation, row: Row) -> None:
    if any(row["id"] in port["security_groups"] for port in cloud.store.rows("ports")):
        raise Fault(409, f"Security Group {row['id']} in use.", "SecurityGroupInUse")
    if row["name"] == "default" and cloud.store.get("projects", row["project_id"]):
        raise Fault(409, "Removing default security group not allowed.", "SecurityGroupCannotRemoveDefault")


def _group_removed(cloud: Simulation, row: Row) -> None:
    for rule in _rules(cloud, row):
        cloud.store.remove("security_group_rules", rule["id"])


def _shown_group(cloud: Simulation, row: Row) -> Row:
    return row | {"security_group_rules": _rules(cloud, row)}


def _rules(cloud: Simulation, group: Row) -> list[Row]:
    rows = cloud.store.rows("security_group_rules", group["project_id"])
    return [rule for rule in rows if rule["security_group_id"] == group["id"]]


def _ensure_default(request: Request) -> None:
    default_group(request.cloud, request.identity.project)


def _complete_rule(request: Request, content: dict[str, Any]) -> Row:
    row = picked(content, _RULE)
    GROUPS.owned(request, str(row["security_group_id"]))
    if row["direction"] not in ("ingress", "egress"):
        raise Fault(400, f"Invalid input for direction. Reason: '{row['direction']}' is not ingress or egress.")
    same = [name for name in _RULE if name != "description"]
    for other in request.cloud.store.rows("security_group_rules"):
        if all(other[name] == row[name] for name in same):
            message = f"Security group rule already exists. Rule id is {other['id']}."
            raise Fault(409, message, "SecurityGroupRuleExists")
    return row


def _update_rule(_request: Request, _row: Row, content: dict[str, Any]) -> Row:
    return changed(content, frozenset({"description"}))


GROUPS = Collection(
    "security_group",
    "security_groups",
    "/security-groups",
    "SecurityGroup",
    _complete_group,
    _update_group,
    created=_group_created,
    removing=_removing_group,
    removed=_group_removed,
    listing=_ensure_default,
    shown=_shown_group,
)
RULES = Collection(
    "security_group_rule",
    "security_group_rules",
    "/security-group-rules",
    "SecurityGroupRule",
    _complete_rule,
    _update_rule,
    listing=_ensure_default,
)
GROUPS.register()
RULES.register()
