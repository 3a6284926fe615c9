"""What a workflow of a catalog offers to one that uses it, as plain data: params, secrets and outputs."""

from __future__ import annotations

from typing import Any

from rallyflow.catalogs.problem import NO_WORKFLOW, CatalogProblem
from rallyflow.catalogs.shelf import Opened
from rallyflow.catalogs.versions import shortest
from rallyflow.hints import did_you_mean


def workflow_of(opened: Opened, name: str) -> dict[str, Any]:
    """Return what a workflow offers; CatalogProblem when there is none, WorkflowInvalid when it is not good YAML."""
    from rallyflow.compile.files import Files
    from rallyflow.compile.interface import secrets_of, specs_of

    known = opened.catalog.workflows
    if name not in known:
        what = f"the catalog {opened.name!r} has no workflow {name!r}"
        raise CatalogProblem(NO_WORKFLOW, what, did_you_mean(name, known, "its workflows are: {}"))
    path = opened.folder / known[name].file
    files = Files()
    file = files.load(path, str(path))
    files.stop_if_any()
    data = file.data if file is not None and isinstance(file.data, dict) else {}
    specs = specs_of(file) if file is not None else {}
    outputs = data.get("outputs")
    return {
        "name": name,
        "uses": f"{opened.name}/{name}@{shortest(opened.catalog.version)}",
        "file": str(path),
        "description": known[name].description or " ".join(str(data.get("description", "")).split()),
        "params": [
            {
                "name": param,
                "type": spec.type,
                "required": spec.default is None,
                "default": spec.default,
                "description": spec.description,
            }
            for param, spec in specs.items()
        ],
        "secrets": list(secrets_of(data.get("secrets"))),
        "outputs": outputs if isinstance(outputs, dict) else {},
    }
