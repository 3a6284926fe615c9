"""What a workflow file shows to one that uses it: its params and outputs, with their types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rallyflow.compile.draft import axes_in
from rallyflow.compile.files import File, Files
from rallyflow.compile.inference import CellsOf, Record, TypeProblem, infer
from rallyflow.compile.kinds import (
    WORKFLOW,
    Kind,
    KindError,
    find_workflow,
    inputs_model,
    is_workflow,
    outputs_model,
    plain_kind,
)
from rallyflow.compile.params import is_sound
from rallyflow.compile.validation import validate
from rallyflow.expressions import Expression, ExpressionError, is_template, parse_template
from rallyflow.model.params import annotation_of
from rallyflow.model.secret import SecretSource
from rallyflow.model.workflow import Param


def kind_of(raw: Mapping[str, Any], file: File, chain: tuple[Path, ...], files: Files, used_at: str) -> Kind:
    """Return the kind of a step of a file; KindError when what it uses is not there."""
    uses, with_ = raw["uses"], raw.get("with")
    if not is_workflow(uses):
        return plain_kind(uses, with_ if isinstance(with_, dict) else {})
    found = find_workflow(uses, file, chain, files, used_at)
    return _kind_of_file(found, (*chain, found.path.resolve()), files)


def specs_of(file: File) -> dict[str, Param]:
    """Return the params that a file declares well; the errors of the others are noted in it."""
    if file.specs is None:
        raw = file.data.get("params") if isinstance(file.data, dict) else None
        found = {
            name: validate(Param, spec, ("params", name), file.errors)
            for name, spec in (raw.items() if isinstance(raw, dict) else ())
        }
        file.specs = {
            name: spec for name, spec in found.items() if spec is not None and is_sound(name, spec, file.errors)
        }
    return file.specs


def secrets_of(raw: Any) -> dict[str, SecretSource]:
    """Return where the secrets of a file come from; leaves out what is none."""
    if isinstance(raw, list):
        return {name: SecretSource() for name in raw if isinstance(name, str)}
    found = raw.items() if isinstance(raw, dict) else ()
    return {name: source if isinstance(source, SecretSource) else SecretSource() for name, source in found}


def _kind_of_file(file: File, chain: tuple[Path, ...], files: Files) -> Kind:
    real = chain[-1]
    if real not in files.kinds:
        from rallyflow import plugins

        specs = specs_of(file)
        outputs = file.data.get("outputs") if isinstance(file.data, dict) else None
        names = _names(file, specs, chain, files)
        typed = {name: _type_of(value, names) for name, value in (outputs if isinstance(outputs, dict) else {}).items()}
        raw = file.data.get("params") if isinstance(file.data, dict) else None
        broken = [param for param in (raw if isinstance(raw, dict) else ()) if param not in specs]
        name = file.path.stem
        inputs = inputs_model(name, specs, broken)
        files.kinds[real] = Kind(plugins.step_type(WORKFLOW), inputs, outputs_model(name, typed), file)
    return files.kinds[real]


def _names(file: File, specs: Mapping[str, Param], chain: tuple[Path, ...], files: Files) -> dict[str, Any]:
    raw = file.data.get("steps") if isinstance(file.data, dict) else None
    steps = raw if isinstance(raw, dict) else {}
    return {
        "params": Record({name: annotation_of(spec.type) for name, spec in specs.items()}, "param"),
        "steps": Record({name: _outputs_of(name, step, file, chain, files) for name, step in steps.items()}, "step"),
        "run": Record(dict.fromkeys(("id", "name", "directory"), str), "field of run"),
    }


def _outputs_of(name: str, raw: Any, file: File, chain: tuple[Path, ...], files: Files) -> Any:
    """Return what a step gives; anything for one with errors, which are noted when the file is compiled."""
    if not isinstance(raw, dict) or not isinstance(raw.get("uses"), str):
        return Any
    try:
        outputs = kind_of(raw, file, chain, files, file.errors.source.where(("steps", name))).outputs
    except KindError:
        return Any
    axes = axes_in(raw.get("matrix"), raw.get("foreach"))
    return CellsOf(outputs, axes) if axes else outputs


def _type_of(value: Any, names: Mapping[str, Any]) -> Any:
    if not is_template(value):
        return type(value) if isinstance(value, str | int | float | bool) else Any
    try:
        parts = parse_template(value)
        alone = len(parts) == 1 and isinstance(parts[0], Expression)
        return infer(parts[0].body, names) if alone and isinstance(parts[0], Expression) else str
    except (ExpressionError, TypeProblem):
        return Any
