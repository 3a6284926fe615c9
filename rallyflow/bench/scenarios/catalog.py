"""Finds scenarios by name in the YAML files of the packages behind the entry points `rallyflow.scenarios`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from rallyflow import plugins
from rallyflow.bench.scenarios.linker import closest, link
from rallyflow.bench.scenarios.model import Problem, Scenario, ScenarioModel
from rallyflow.errors import NotFound, PluginError


@cache
def names() -> tuple[str, ...]:
    """Return the names of all scenarios, sorted."""
    return tuple(sorted(_written()))


@cache
def find(name: str) -> Scenario:
    """Return a scenario; NotFound when there is none of this name, PluginError when its file is wrong."""
    if name not in _written():
        raise NotFound(f"there is no scenario {name!r}", hint=closest(name, names()))
    file, written = _written()[name]
    scenario, problems = read_scenario(name, written)
    if scenario is None:
        listed = "\n".join(f"  {name}.{problem}" for problem in problems)
        raise PluginError(f"the scenario {name!r} in {file} is wrong:\n{listed}")
    return scenario


def read_scenario(name: str, written: Any) -> tuple[Scenario | None, list[Problem]]:
    """Return the scenario that a mapping of a file describes, or None and all that is wrong with it."""
    try:
        model = ScenarioModel.model_validate(written)
    except ValidationError as error:
        return None, [Problem(tuple(found["loc"]), found["msg"]) for found in error.errors()]
    return link(name, model)


@cache
def _written() -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for plugin in plugins.names("scenarios"):
        for file, name, written in _files(plugins.load("scenarios", plugin)):
            if name in found:
                raise PluginError(f"the scenario {name!r} is both in {found[name][0]} and in {file}")
            found[name] = (file, written)
    return found


def _files(package: Any) -> Iterator[tuple[str, str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in files(package).iterdir():
        if not file.name.endswith(".yaml"):
            continue
        try:
            content = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader
        except yaml.YAMLError as error:
            raise PluginError(f"{file} is not YAML: {error}") from error
        for name, written in (content or {}).items():
            yield str(file), name, written
