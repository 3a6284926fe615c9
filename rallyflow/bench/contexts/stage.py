"""Sets the contexts of a benchmark up, and strikes what they and the load made, from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from logging import Logger
from typing import Any

from pydantic import ValidationError

from rallyflow import plugins
from rallyflow.bench.contexts.scene import Context, Scene, Tenant, in_parallel
from rallyflow.bench.scenarios.linker import closest
from rallyflow.bench.scenarios.model import Problem
from rallyflow.clouds.connection import login_of
from rallyflow.clouds.resources import OpenStackObjects
from rallyflow.clouds.rest import CloudSession
from rallyflow.errors import RallyflowError
from rallyflow.model.records import Resource
from rallyflow.model.step import Ledger
from rallyflow.model.values import Cloud


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contexts of a scenario with those of a workflow over them; null switches one off."""
    return {name: value for name, value in ({**defaults, **given}).items() if value is not None}


def validate_contexts(given: Any) -> list[Problem]:
    """Return what is wrong with the contexts in a workflow, asking no cloud."""
    if not isinstance(given, Mapping):
        return []
    problems = []
    for name, settings in given.items():
        if name not in plugins.names("contexts"):
            hint = closest(str(name), plugins.names("contexts"))
            problems.append(Problem(("contexts", name), f"there is no context {name!r}", hint))
        elif settings is None or isinstance(settings, Mapping):
            problems += _wrong(name, settings or {})
    return problems


def _wrong(name: str, settings: Mapping[str, Any]) -> list[Problem]:
    needed = plugins.load("contexts", name)
    try:
        needed.model_validate(settings)
    except ValidationError as error:
        return [Problem(("contexts", name, *found["loc"]), found["msg"]) for found in error.errors()]
    return []


def set_up(scene: Scene, contexts: Mapping[str, Any]) -> None:
    """Set contexts up, lowest `order` first; without `users`, the cloud's own user runs the load."""
    chosen: list[Context] = [
        plugins.load("contexts", name).model_validate(settings) for name, settings in contexts.items()
    ]
    if "users" not in contexts:
        scene.tenants = [Tenant(scene.admin.project_id, "", temporary=False, users=[scene.admin.login])]
    for context in sorted(chosen, key=lambda context: context.order):
        context.set_up(scene)


def open_scene(cloud: Cloud, ledger: Ledger, tag: str) -> Scene:
    """Sign in to a cloud and return an empty scene; raises CloudRefused, CloudUnreachable or NotFound."""
    admin = CloudSession(login_of(cloud))
    admin.sign_in()
    return Scene(cloud=cloud, admin=admin, ledger=ledger, prefix=f"{tag}-c-")


def book_load(scene: Scene, prefix: str) -> None:
    """Book everything that a load is going to make as one row, before it starts."""
    projects = [tenant.id for tenant in scene.tenants if tenant.temporary]
    scene.book("objects", prefix, projects=projects)


def strike(ledger: Ledger, log: Logger) -> int:
    """Remove everything that the step has open in the ledger, newest first; return how much could not go.

    Neighbours of one kind go at the same time. What stays is logged and stays open, for `rallyflow destroy`.
    """
    newest_first = [row for row in reversed(ledger.open()) if row.kind.startswith("openstack.")]
    groups = (list(rows) for _, rows in groupby(newest_first, key=lambda row: row.kind))
    return sum(sum(in_parallel(lambda row: _strike_one(row, ledger, log), rows)) for rows in groups)


def _strike_one(row: Resource, ledger: Ledger, log: Logger) -> int:
    try:
        OpenStackObjects().delete(row)
    except RallyflowError as error:
        log.warning("%s %s could not be removed: %s", row.kind, row.name, error)
        return 1
    ledger.deleted(row.id)
    return 0
