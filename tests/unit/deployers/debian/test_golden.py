"""Whole plans, as text that a person can read: facts in, files and units out.

When a change of the text is wanted: RALLYFLOW_GOLDEN=write pytest tests/unit/deployers/debian/test_golden.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rallyflow.deployers.debian.agent.plan import Daemon, Schema
from rallyflow.deployers.debian.layout import Role, lay_out
from rallyflow.deployers.debian.passwords import USERS, Passwords
from rallyflow.deployers.debian.plans import plan_for
from rallyflow.deployers.debian.site import Site
from rallyflow.model.values import Server

GOLDEN = Path(__file__).with_name("golden")
PASSWORDS = Passwords(
    "rf-golden", {user: f"<{user}>" for user in USERS}, ("<key 0>", "<key 1>"), ("<key 2>", "<key 3>"), "00000000"
)
THREE = tuple(Server(name=name, host=f"10.0.0.{number}") for number, name in enumerate(("ctl", "one", "two"), 1))
TWO_AND_ONE = {Role.CONTROLLER: 2, Role.COMPUTE: 1}
CASES = {
    "all-in-one": (THREE[:1], {}, "ctl", {}),
    "compute": (THREE, {Role.CONTROLLER: 1, Role.COMPUTE: 2}, "two", {}),
    "compute-libvirt": (THREE, {Role.CONTROLLER: 1, Role.COMPUTE: 2}, "one", {"driver": "libvirt"}),
    "compute-openvswitch": (
        THREE,
        {Role.CONTROLLER: 1, Role.COMPUTE: 2},
        "one",
        {"network_driver": "openvswitch", "kernels": {"one": ["openvswitch"], "two": []}},
    ),
    "compute-openvswitch-netdev": (
        THREE,
        {Role.CONTROLLER: 1, Role.COMPUTE: 2},
        "two",
        {"network_driver": "openvswitch", "kernels": {"one": ["openvswitch"], "two": []}},
    ),
    "controllers-first": (THREE, TWO_AND_ONE, "ctl", {"optional": frozenset({"heat"})}),
    "controllers-second": (THREE, TWO_AND_ONE, "one", {"optional": frozenset({"heat"})}),
    "controllers-compute": (THREE, TWO_AND_ONE, "two", {}),
    "storage-lvm": (
        THREE,
        {Role.CONTROLLER: 1, Role.COMPUTE: 1, Role.STORAGE: 1},
        "two",
        {"volume_driver": "lvm", "volume_group": "vg0"},
    ),
    "storage": (THREE, {Role.CONTROLLER: 1, Role.COMPUTE: 1, Role.STORAGE: 1}, "two", {}),
}


def text_of(plan):
    lines = [f"packages: {' '.join(plan.packages)}", f"hosts: {plan.hosts}"]
    lines += [f"folder {each.path} {each.owner} {each.mode:o}" for each in plan.folders]
    for unit in plan.units:
        lines.append(f"\n{type(unit).__name__} {unit.name} ({unit.phase}) after: {', '.join(unit.after) or 'nothing'}")
        if isinstance(unit, Daemon):
            lines += [f"  {unit.user}: {' '.join(unit.command)}", f"  reads: {', '.join(unit.reads)}"]
            lines += [f"  {key}={value}" for key, value in unit.env.items()]
            lines += (
                [f"  ready: {unit.ready.kind} {unit.ready.target} {unit.ready.queue}".rstrip()] if unit.ready else []
            )
        if isinstance(unit, Schema):
            lines += [f"  {unit.user}: {' '.join(command)}" for command in unit.commands]
    lines += [f"\nundo: {' '.join(command)}" for command in plan.undo]
    for file in plan.files:
        lines.append(f"\n--- {file.path} {file.owner}:{file.group} {file.mode:o}")
        lines.append(file.content.rstrip() if not file.path.endswith(".py") else "(a driver)")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_plan_is_as_written_down(case):
    servers, roles, name, options = CASES[case]
    layout = lay_out(servers, roles)
    site = Site(layout, PASSWORDS, "RegionOne", {"nova": {"DEFAULT": {"debug": True}}}, **options)
    text = text_of(plan_for(site, next(each for each in layout.servers if each.name == name), 900.0))
    file = GOLDEN / f"{case}.txt"
    if os.environ.get("RALLYFLOW_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
