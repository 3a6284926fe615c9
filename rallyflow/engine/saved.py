"""Saved plans: a file that holds a plan whole, so that `apply` runs exactly what was looked at, or refuses."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rallyflow import __version__, plugins
from rallyflow.engine.session import write_durably
from rallyflow.errors import PluginError, UsageError
from rallyflow.model.plan import Plan, plan_from_json, plan_to_json

_FORMAT = 1
_MARK = b'{"rallyflow_plan":'
_LARGEST = 1 << 30  # bytes


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan with the text of the workflow that it was made from."""

    plan: Plan
    workflow: bytes
    changed: tuple[str, ...]  # files that have changed since, or are gone


def save(path: Path, plan: Plan, workflow: bytes) -> None:
    """Write a plan; UsageError when that can't be done, or would replace what is no saved plan."""
    if os.path.lexists(path) and not is_saved(path):
        raise UsageError(f"{path} is there already, and is not a saved plan", hint="give another name: -o friday.plan")
    content = {
        "rallyflow": __version__,
        "workflow": workflow.decode(errors="replace"),
        "files": {str(Path(name).absolute()): seal for name, seal in plan.files.items()},
        "types": {uses: plugins.step_type(uses).version for uses in sorted({step.uses for step in plan.steps})},
        "plan": plan_to_json(replace(plan, file=str(Path(plan.file).absolute()))),  # it may be run from anywhere
    }
    text = json.dumps(content, default=str, sort_keys=True)
    seal = hashlib.sha256(text.encode()).hexdigest()
    try:
        write_durably(path, b'%s %d, "sha256": "%s", "content": %s}\n' % (_MARK, _FORMAT, seal.encode(), text.encode()))
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}") from error


def is_saved(path: Path) -> bool:
    """Whether a file is a saved plan, as far as its beginning tells."""
    try:
        if not path.is_file():
            return False  # what a pipe gives can be read only once
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK
    except OSError:
        return False


def load(path: Path) -> SavedPlan:
    """Return a saved plan; UsageError when it can't be run exactly as it was saved."""
    content = _content(path)
    if content["rallyflow"] != __version__:
        raise UsageError(
            f"{path} was saved by rallyflow {content['rallyflow']}; this is {__version__}", hint=_again(path)
        )
    for uses, version in content["types"].items():
        _check_type(path, uses, version)
    plan = plan_from_json(content["plan"])
    changed = tuple(name for name, seal in content["files"].items() if _seal_of(Path(name)) != seal)
    return SavedPlan(plan, content["workflow"].encode(), changed)


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_LARGEST))
        content: dict[str, Any] = data["content"]
        seal = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        if data["rallyflow_plan"] != _FORMAT or data["sha256"] != seal:
            raise UsageError(f"{path} is not what was saved: it has been changed or cut", hint=_again(path))
        return content  # noqa: TRY300 - inside, so that missing keys are caught
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is not a whole saved plan: {error}", hint=_again(path)) from error


def _check_type(path: Path, uses: str, version: str) -> None:
    try:
        found = plugins.step_type(uses).version
    except PluginError as error:
        raise UsageError(f"{path} needs the step type {uses!r}: {error.what}", hint=error.hint) from error
    if found != version:
        raise UsageError(f"{path} was saved with version {version} of {uses!r}; this is {found}", hint=_again(path))


def _seal_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _again(path: Path) -> str:
    return f"make it again: rallyflow plan WORKFLOW -o {path}"
