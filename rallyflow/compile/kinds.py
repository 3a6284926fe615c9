"""What `uses:` names: a step type that is installed, or a workflow, its params and outputs typed like a step's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from rallyflow import plugins
from rallyflow.compile.files import File, Files
from rallyflow.compile.types import SameKind
from rallyflow.errors import PluginError, UsageError
from rallyflow.model.params import annotation_of, read_value
from rallyflow.model.step import StepType
from rallyflow.model.workflow import Param

WORKFLOW = "workflow"
"""The step type that stands for a workflow in a plan."""
_PATHS = ("./", "../", "/")
_DEEPEST = 20


class KindError(Exception):
    """What `uses:` names can't be used; `what` is empty when the file's own errors say why."""

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Kind:
    """A step type with the models of its inputs and outputs; of a workflow also its file."""

    step: type[StepType[Any, Any]]
    inputs: type[BaseModel]
    outputs: type[BaseModel]
    file: File | None = None

    @property
    def version(self) -> str:
        """What changes when the same inputs may give another result."""
        return self.file.sha256 if self.file else self.step.version


class _Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


NOTHING_KNOWN = Kind(StepType, _Anything, _Anything)  # type: ignore[type-abstract]
"""For a step whose `uses:` names nothing that is there."""


def is_workflow(uses: str) -> bool:
    """Whether `uses:` names a workflow: by its path, or by its name in a catalog."""
    return uses.startswith(_PATHS) or _in_catalog(uses)


def plain_kind(uses: str, with_: Mapping[str, Any]) -> Kind:
    """Return the kind of a step type that is installed; KindError when there is none such."""
    try:
        found: type[StepType[Any, Any]] = plugins.step_type(uses)
    except PluginError as error:
        hint = f"a path starts with a dot: ./{uses}" if uses.endswith((".yaml", ".yml", ".json")) else error.hint
        raise KindError("RF0214", error.what, hint) from error
    if found.internal:
        raise KindError(
            "RF0214", f"{uses!r} can't be used by name", "write the path of a workflow, such as ./load.yaml"
        )
    return Kind(found, found.Inputs, found.outputs_for(with_))


def find_workflow(uses: str, user: File, chain: tuple[FilePath, ...], files: Files, used_at: str) -> File:
    """Return the file of a workflow that another file uses; KindError when it can't be.

    `chain` are the real paths of the files that use each other, down to `user`.
    """
    if "\0" in uses:
        raise KindError("RF0260", f"{uses!r} is not a path", "no file has a zero character in its name")
    found = _locate(uses, user, chain[0].parent)
    path = found.path
    real = path.resolve()
    if real in chain:
        circle = " -> ".join(each.name for each in (*chain[chain.index(real) :], real))
        hint = "to do something several times, give the step a matrix"
        raise KindError("RF0261", f"a workflow can't use itself: {circle}", hint)
    if len(chain) >= _DEEPEST:
        raise KindError("RF0261", f"more than {_DEEPEST} workflows inside each other")
    try:
        file = files.load(path, found.name, used_at)
    except UsageError as error:
        raise KindError("RF0260", error.what, f"a path is relative to the folder of {user.path.name}") from error
    if file is None:
        raise KindError("", "")
    file.root, file.catalog = found.root, found.unpinned
    return file


@dataclass(frozen=True, slots=True)
class _Found:
    path: FilePath
    name: str
    root: FilePath | None = None
    unpinned: str = ""


def _locate(uses: str, user: File, top: FilePath) -> _Found:
    if _in_catalog(uses):
        return _in_a_catalog(uses, user.path.parent, top)
    path = user.path.parent / uses
    if user.root is not None and not path.resolve().is_relative_to(user.root.resolve()):
        raise KindError(
            "RF0260", f"{uses!r} is outside of the catalog", "a catalog's workflows use files of the catalog"
        )
    return _Found(path, os.path.normpath(FilePath(user.name).parent / uses), user.root, user.catalog)


def _in_a_catalog(uses: str, folder: FilePath, top: FilePath) -> _Found:
    from rallyflow.catalogs import CatalogProblem, resolve

    try:
        found = resolve(uses, folder, root=top)
    except CatalogProblem as problem:
        raise KindError(problem.code, problem.what, problem.hint) from problem
    shown = found.path.relative_to(here) if found.path.is_relative_to(here := FilePath.cwd()) else found.path
    return _Found(found.path, str(shown), found.root, "" if found.pinned else found.catalog)


def _in_catalog(uses: str) -> bool:
    return not uses.startswith(_PATHS) and "@" in uses.partition("/")[2]


def inputs_model(name: str, params: Mapping[str, Param], broken: Iterable[str] = ()) -> type[BaseModel]:
    """Return the model of `with:` for a workflow with these params; those declared wrongly take anything."""
    fields: dict[str, Any] = {f"b{number}": (Any, Field(None, alias=param)) for number, param in enumerate(broken)}
    for number, (param, spec) in enumerate(params.items()):
        annotation: Any = Annotated[annotation_of(spec.type), BeforeValidator(partial(read_value, spec)), SameKind()]
        default = ... if spec.default is None else spec.default
        fields[f"p{number}"] = (annotation, Field(default, alias=param, description=spec.description))
    return create_model(name, __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def outputs_model(name: str, outputs: Mapping[str, Any]) -> type[BaseModel]:
    """Return the model of what a workflow gives: its outputs with their types."""
    fields: dict[str, Any] = {
        f"o{number}": (annotation, Field(None, alias=output))
        for number, (output, annotation) in enumerate(outputs.items())
    }
    return create_model(name, __config__=ConfigDict(extra="forbid", frozen=True), **fields)
