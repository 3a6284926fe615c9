"""Compiles a workflow file into a plan, or says everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rallyflow.compile.cells import Growing
from rallyflow.compile.diagnostics import Source
from rallyflow.compile.files import File, Files
from rallyflow.compile.params import variable_of
from rallyflow.compile.reader import read_bytes, read_text
from rallyflow.compile.unit import Place, Unit
from rallyflow.model.plan import Plan


def compile_file(path: Path, given: Mapping[str, Any] | None = None) -> Plan:
    """Return the plan of a workflow file with the given params.

    Raises UsageError when the file can't be read, and WorkflowInvalid with all of its errors.
    """
    return compile_unit(path, given)[1]


def compile_unit(path: Path, given: Mapping[str, Any] | None = None) -> tuple[Unit, Plan]:
    """Return a workflow file as it was understood, and its plan; raises as `compile_file` does."""
    raw = read_bytes(path)
    data, source = read_text(raw, str(path))
    return _compile(data, source, given or {}, raw)


def compile_data(data: Any, source: Source, given: Mapping[str, Any]) -> Plan:
    """Return the plan of a file that has been read; WorkflowInvalid with all of its errors."""
    return _compile(data, source, given, b"")[1]


def _compile(data: Any, source: Source, given: Mapping[str, Any], raw: bytes) -> tuple[Unit, Plan]:
    files = Files()
    file = files.add(Path(source.name), data, source, raw)
    unit = Unit(file, files, Place(given=given, environment=None, chain=(file.path.resolve(),)), Growing())
    unit.compile()
    files.stop_if_any()
    return unit, _plan(unit, file, files, given)


def _plan(unit: Unit, file: File, files: Files, given: Mapping[str, Any]) -> Plan:
    header = unit.header
    assert header is not None  # noqa: S101 - its errors would have been raised before
    return Plan(
        name=header.name,
        file=file.name,
        steps=tuple(unit.plan.steps.values()),
        groups=unit.plan.groups,
        params=unit.params.known,
        given=tuple(name for name in unit.params.known if name in given or variable_of(name) in os.environ),
        secrets=unit.plan.secrets,
        teardown=header.teardown,
        ttl=header.ttl,
        outputs=header.outputs,
        description=header.description,
        scopes=unit.plan.scopes,
        limits=unit.plan.limits,
        files={each.name: each.sha256 for each in files.read.values()},
        seeds=unit.plan.seeds,
    )
