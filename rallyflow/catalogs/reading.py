"""Reads the files of catalogs as strictly as workflows, and says where in them a mistake is."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from rallyflow.catalogs.models import CATALOG_FILE, Catalog, CatalogModel
from rallyflow.catalogs.problem import INVALID, NOT_FOUND, CatalogProblem
from rallyflow.errors import WorkflowInvalid

ModelT = TypeVar("ModelT", bound=CatalogModel)


def read_file(path: Path, model: type[ModelT]) -> ModelT:
    """Return a YAML file as a model; WorkflowInvalid with all mistakes, UsageError when it can't be read."""
    from rallyflow.compile.diagnostics import Diagnostics
    from rallyflow.compile.reader import read_workflow
    from rallyflow.compile.validation import validate

    data, source = read_workflow(path)
    errors = Diagnostics(source)
    found = validate(model, data, (), errors)
    errors.stop_if_any()
    assert found is not None  # noqa: S101 - its errors would have been raised just above
    return found


def read_catalog(folder: Path) -> Catalog:
    """Return what a folder's catalog.yaml says; CatalogProblem when there is none, or a workflow's file is missing."""
    path = folder / CATALOG_FILE
    if not path.is_file():
        raise CatalogProblem(NOT_FOUND, f"{folder} is no catalog: it has no {CATALOG_FILE}", "is a subfolder meant?")
    catalog = read_file(path, Catalog)
    for name, workflow in catalog.workflows.items():
        file = folder / workflow.file
        if not file.is_file():
            raise CatalogProblem(INVALID, f"{path}: the file of the workflow {name!r} is not there: {workflow.file}")
        if not file.resolve().is_relative_to(folder.resolve()):
            raise CatalogProblem(INVALID, f"{path}: the file of the workflow {name!r} is outside: {workflow.file}")
    return catalog


def as_problem(invalid: WorkflowInvalid) -> CatalogProblem:
    """Return the mistakes in a catalog's own file as one problem, for a workflow that uses the catalog."""
    first, *others = invalid.diagnostics
    more = f" (and {len(others)} more)" if others else ""
    return CatalogProblem(INVALID, f"{first.where}: {first.what}{more}", first.hint)
