"""A step as the file has it: read, its kind found, its expressions parsed; before its matrix is expanded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rallyflow.compile import types
from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.kinds import Kind
from rallyflow.compile.matrix import axes_of
from rallyflow.compile.validation import validate
from rallyflow.expressions import (
    Expression,
    ExpressionError,
    Reference,
    evaluate_template,
    expressions_of,
    is_template,
    parse_template,
)
from rallyflow.hints import closest, did_you_mean
from rallyflow.model.workflow import Step

LATE = ("with", "if", "matrix", "foreach")
"""The keys of a step whose expressions may use more than params."""
_NOT_OF_A_WORKFLOW = ("foreach", "timeout", "retry", "locks", "limits")
LATE_ROOTS = frozenset({"steps", "secrets", "run", "item"})
"""What only a run knows."""


@dataclass(frozen=True, slots=True)
class Params:
    """The params of a file where it is used: those with a value, and those that only a run will know."""

    known: Mapping[str, Any]
    late: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()  # declared or given wrongly, which is an error of its own

    def __contains__(self, name: str) -> bool:
        return name in self.known or name in self.late or name in self.broken

    def __iter__(self) -> Iterator[str]:
        yield from (*self.known, *self.late, *self.broken)

    def are_late(self, expressions: Sequence[Expression]) -> bool:
        """Whether an expression has no value before the run, or none at all."""
        return any(self._is_late(found) for expression in expressions for found in expression.references)

    def are_broken(self, expressions: Sequence[Expression]) -> bool:
        """Whether an expression uses a param that has no value, which has been noted as an error already."""
        return any(
            found.root == "params" and found.path and found.path[0] not in self.known and found.path[0] not in self.late
            for expression in expressions
            for found in expression.references
        )

    def _is_late(self, reference: Reference) -> bool:
        if reference.root == "params":
            return reference.path[0] not in self.known if reference.path else bool(self.late or self.broken)
        return reference.root in LATE_ROOTS


@dataclass(slots=True)
class Draft:
    """One step of the file, before its matrix is expanded."""

    name: str
    spec: Step
    kind: Kind
    condition: str
    templates: dict[Path, list[Expression]] = field(default_factory=dict)
    alone: set[Path] = field(default_factory=set)  # those that are one expression and no other text: they keep its type
    values: dict[Path, Any] = field(default_factory=dict)  # of those that are the same in every cell
    needs: set[str] = field(default_factory=set)  # names of steps, from `needs` and from references

    @property
    def path(self) -> Path:
        """Where the step stands in the file."""
        return ("steps", self.name)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the step's matrix axes; `item` for a foreach step."""
        return axes_in(self.spec.matrix, self.spec.foreach)


def axes_in(matrix: Any, foreach: Any) -> tuple[str, ...]:
    """Return the names of the axes of a step."""
    if foreach is not None:
        return ("item",)
    return tuple(axes_of(matrix)) if isinstance(matrix, dict) else ()


def read_step(name: str, raw: dict[str, Any], kind: Kind, params: Params, errors: Diagnostics) -> Draft:
    """Return one step of the file; one with errors, which are noted, as it was probably meant."""
    path: Path = ("steps", name)
    raw = _with_misplaced(raw, kind, path, errors)
    early = {key: value for key, value in raw.items() if key not in LATE}
    late = {key: value for key, value in raw.items() if key in LATE}
    data = {**substitute(early, path, params, errors), **late}
    spec = validate(Step, data, path, errors)
    if spec is None:
        raw, spec = _as_meant(raw, data, path, errors)
    draft = Draft(name, spec, kind, _condition(spec.if_))
    for key in ("with", "matrix", "foreach"):
        _parse_all(draft, raw.get(key, {}), (*path, key), errors)
    _parse_condition(draft, errors)
    if spec.matrix is not None and spec.foreach is not None:
        errors.key(
            (*path, "foreach"),
            "RF0230",
            "a step has a matrix or a foreach, not both",
            "a list of mappings can have all combinations",
        )
    return draft


def _with_misplaced(raw: dict[str, Any], kind: Kind, path: Path, errors: Diagnostics) -> dict[str, Any]:
    """Return a step whose inputs are all below `with:`; those that stood beside it are noted."""
    own = {field.alias or name for name, field in Step.model_fields.items()}
    misplaced = [key for key in raw if key not in own and key in types.fields_of(kind.inputs)]
    given = raw.get("with", {})
    if not misplaced or not isinstance(given, dict):
        return raw
    for key in misplaced:
        hint = f"it is an input of {raw.get('uses')}: put it below `with:`"
        errors.key((*path, key), "RF0210", f"unknown key {key!r}", hint)
        errors.source.alias((*path, "with", key), (*path, key))
    rest = {key: value for key, value in raw.items() if key not in misplaced}
    return {**rest, "with": {**{key: raw[key] for key in misplaced}, **given}}


def _as_meant(
    raw: dict[str, Any], data: dict[str, Any], path: Path, errors: Diagnostics
) -> tuple[dict[str, Any], Step]:
    """Return a step without what is wrong in it, its misspelt keys taken for those that they are close to."""
    known = [field.alias or name for name, field in Step.model_fields.items()]
    kept: dict[str, Any] = {}
    for key, value in data.items():
        meant = key if key in known else next((close for close in closest(key, known) if close not in data), None)
        if meant is not None and _is_good(meant, value):
            kept[meant] = value
            raw = {**raw, meant: raw[key]}
            if meant != key:
                errors.source.alias((*path, meant), (*path, key))
    return {key: raw[key] for key in kept}, Step.model_validate({"uses": "?", **kept})


def _is_good(key: str, value: Any) -> bool:
    try:
        Step.model_validate({"uses": "?", key: value})
    except ValidationError:
        return False
    return True


def check_keys_of_workflow(path: Path, raw: Mapping[str, Any], errors: Diagnostics) -> None:
    """Note the keys of a step that mean nothing when it is a workflow."""
    for key in _NOT_OF_A_WORKFLOW:
        if key in raw:
            hint = "use a matrix, or put foreach on a step inside" if key == "foreach" else "put it on the steps inside"
            errors.key((*path, key), "RF0262", f"{key!r} has no meaning for a step that is a workflow", hint)
    if raw.get("on_failure") == "pause":
        errors.value((*path, "on_failure"), "RF0262", "a workflow can't pause as a whole", "put it on the steps inside")


def substitute(data: Any, path: Path, params: Params, errors: Diagnostics) -> Any:
    """Return data with each expression in it, which may use params only, replaced by its value."""
    if isinstance(data, dict):
        return {key: substitute(value, (*path, key), params, errors) for key, value in data.items()}
    if isinstance(data, list):
        return [substitute(value, (*path, index), params, errors) for index, value in enumerate(data)]
    if not is_template(data):
        return data
    try:
        expressions = expressions_of(data)
        references = [reference for expression in expressions for reference in expression.references]
        if _only_params(references, path, params, errors) and not params.are_broken(expressions):
            return evaluate_template(data, {"params": params.known})
    except ExpressionError as error:
        errors.value(path, error.code, str(error), error.hint)
    return data


def _only_params(references: Sequence[Reference], path: Path, params: Params, errors: Diagnostics) -> bool:
    if errors.knows(path):
        return False
    roots = {reference.root for reference in references} - {"params"}
    if roots:
        names = ", ".join(sorted(roots))
        errors.value(path, "RF0245", f"{names} can't be used here", "only params are known when this is read")
    used = [found.path[0] for found in references if found.root == "params" and found.path]
    unknown = [name for name in used if name not in params]
    for name in unknown:
        hint = did_you_mean(name, params) or f"declare it: `params: {{{name}: {{type: int}}}}`"
        errors.value(path, "RF0242", f"there is no param {name!r}", hint)
    late = [name for name in used if name in params.late]
    for name in late:
        what = f"the param {name!r} is needed at once, but gets its value from a step"
        errors.value(path, "RF0245", what, "the workflow that uses this one must give a value that is known beforehand")
    return not (roots or unknown or late)


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


def _parse_all(draft: Draft, data: Any, path: Path, errors: Diagnostics) -> None:
    for place, text in templates_in(data, path):
        try:
            _keep(draft, place, text)
        except ExpressionError as error:
            errors.value(place, error.code, str(error), error.hint)


def _keep(draft: Draft, place: Path, text: str) -> None:
    parts = parse_template(text)
    draft.templates[place] = [part for part in parts if isinstance(part, Expression)]
    if len(parts) == 1:
        draft.alone.add(place)


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
        _keep(draft, place, "${{ " + draft.condition + " }}")
    except ExpressionError as error:
        errors.value(place, error.code, str(error), error.hint)
