"""A step as the file has it: read, its step type found, its expressions parsed, its references checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rallyflow import plugins
from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.matrix import axes_of
from rallyflow.compile.validation import validate
from rallyflow.errors import PluginError
from rallyflow.expressions import (
    Expression,
    ExpressionError,
    Reference,
    evaluate_template,
    expressions_of,
    is_template,
)
from rallyflow.hints import did_you_mean
from rallyflow.model.step import StepType
from rallyflow.model.workflow import Step

LATE = ("with", "if", "matrix")
"""The keys of a step whose expressions may use more than params."""


@dataclass(slots=True)
class Draft:
    """One step of the file, before its matrix is expanded."""

    name: str
    spec: Step
    type: type[StepType[Any, Any]]
    condition: str
    templates: dict[Path, list[Expression]] = field(default_factory=dict)  # places below the step
    needs: set[str] = field(default_factory=set)  # names of steps, from `needs` and from references

    @property
    def path(self) -> Path:
        """Where the step stands in the file."""
        return ("steps", self.name)

    @property
    def axes(self) -> list[str]:
        """The names of the step's matrix axes."""
        return axes_of(self.spec.matrix) if self.spec.matrix else []


def read_step(name: str, raw: Any, params: Mapping[str, Any], errors: Diagnostics) -> Draft | None:
    """Return one step of the file; None, with its errors noted, when it can't be used at all."""
    path: Path = ("steps", name)
    if not isinstance(raw, dict):
        errors.value(path, "RF0212", f"step {name!r} must be a mapping", "write at least `uses: …` below it")
        return None
    early = {key: value for key, value in raw.items() if key not in LATE}
    late = {key: value for key, value in raw.items() if key in LATE}
    spec = validate(Step, {**substitute(early, path, params, errors), **late}, path, errors)
    found = _find_type(raw.get("uses"), path, errors)
    if spec is None or found is None:
        return None
    draft = Draft(name, spec, found, _condition(spec.if_))
    draft.templates.update(_parse_all(raw.get("with", {}), (*path, "with"), errors))
    draft.templates.update(_parse_all(raw.get("matrix", {}), (*path, "matrix"), errors))
    _parse_condition(draft, errors)
    return draft


def _find_type(uses: Any, path: Path, errors: Diagnostics) -> type[StepType[Any, Any]] | None:
    if not isinstance(uses, str):
        return None
    try:
        found: type[StepType[Any, Any]] = plugins.step_type(uses)
    except PluginError as error:
        errors.value((*path, "uses"), "RF0214", error.what, error.hint)
        return None
    return found


def substitute(data: Any, path: Path, params: Mapping[str, Any], errors: Diagnostics) -> Any:
    """Return data with each expression in it, which may use params only, replaced by its value."""
    if isinstance(data, dict):
        return {key: substitute(value, (*path, key), params, errors) for key, value in data.items()}
    if isinstance(data, list):
        return [substitute(value, (*path, index), params, errors) for index, value in enumerate(data)]
    if not is_template(data):
        return data
    try:
        references = [reference for expression in expressions_of(data) for reference in expression.references]
        if _only_params(references, path, params, errors):
            return evaluate_template(data, {"params": params})
    except ExpressionError as error:
        errors.value(path, "RF0240", str(error), error.hint)
    return data


def _only_params(references: Sequence[Reference], path: Path, params: Mapping[str, Any], errors: Diagnostics) -> bool:
    if errors.knows(path):
        return False
    roots = {reference.root for reference in references} - {"params"}
    if roots:
        names = ", ".join(sorted(roots))
        errors.value(path, "RF0245", f"{names} can't be used here", "only params are known when this is read")
    unknown = [found.path[0] for found in references if found.root == "params" and not {*found.path[:1]} <= {*params}]
    for name in unknown:
        errors.value(path, "RF0242", f"there is no param {name!r}", did_you_mean(name, params))
    return not roots and not unknown


def templates_in(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text with an expression in it, with its place."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from templates_in(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from templates_in(value, (*path, index))
    elif is_template(data):
        yield path, data


def _parse_all(data: Any, path: Path, errors: Diagnostics) -> dict[Path, list[Expression]]:
    found: dict[Path, list[Expression]] = {}
    for place, text in templates_in(data, path):
        try:
            found[place] = expressions_of(text)
        except ExpressionError as error:
            errors.value(place, "RF0240", str(error), error.hint)
    return found


def _condition(value: str | bool) -> str:
    """Return the bare expression of an `if:`; empty for the default, success()."""
    if isinstance(value, bool):
        return "" if value else "false"
    text = value.strip()
    if text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1:
        text = text[3:-2].strip()
    return "" if text == "success()" else text


def _parse_condition(draft: Draft, errors: Diagnostics) -> None:
    if not draft.condition:
        return
    place = (*draft.path, "if")
    try:
        draft.templates[place] = expressions_of("${{ " + draft.condition + " }}")
    except ExpressionError as error:
        errors.value(place, "RF0240", str(error), error.hint)
