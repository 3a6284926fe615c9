"""Params of a workflow: whether their declarations are good, and where their values come from."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from typing import Any

from rallyflow.compile.diagnostics import Diagnostics
from rallyflow.compile.draft import templates_in
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid
from rallyflow.hints import did_you_mean
from rallyflow.model.declarations import flaws_of
from rallyflow.model.params import SCALARS, VALUES, innermost, inside, read_value
from rallyflow.model.workflow import Param

ENVIRONMENT_PREFIX = "RALLYFLOW_PARAM_"


def is_sound(name: str, spec: Param, errors: Diagnostics) -> bool:
    """Whether a param's declaration is good; what is wrong with it is noted."""
    before = errors.noted
    for flaw in flaws_of(spec):
        errors.value(("params", name, flaw.key), "RF0301", flaw.what, flaw.hint)
    for place, _ in templates_in(spec.model_dump(exclude={"description"}), ("params", name)):
        hint = "the steps can use expressions with params; a param itself gets its value before all of them"
        errors.value(place, "RF0301", "the declaration of a param can't have expressions", hint)
    return errors.noted == before


def resolve_params(
    specs: Mapping[str, Param],
    given: Mapping[str, Any],
    errors: Diagnostics,
    environment: Mapping[str, str] | None = None,
    late: Container[str] = (),
) -> dict[str, Any]:
    """Return every param's value: given ones first, then the environment, then the default; errors are noted.

    Given values that are texts come from the command line and are read as YAML where the type is not a text.
    `late` are those that a run will give: they have no value yet.
    """
    environment = os.environ if environment is None else environment
    for name in given:
        if name not in specs:
            errors.key(
                ("params",),
                "RF0302",
                f"there is no param {name!r}",
                did_you_mean(name, specs, "the params are: {}"),
            )
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if name in late:
            continue
        raw, origin = _pick(name, spec, given, environment)
        if raw is None:
            errors.key(
                ("params", name),
                "RF0303",
                f"the param {name!r} has no value",
                _how_to_give(name, spec),
            )
            continue
        try:
            values[name] = read_value(spec, from_text(raw, spec) if origin else raw)
        except ValueError as error:
            place = ("params", name) if origin else ("params", name, "default")
            errors.value(place, "RF0304", f"the param {name!r}{origin}: {error}", f"its type is {spec.type}")
    return values


def _pick(name: str, spec: Param, given: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Any, str]:
    if name in given:
        return given[name], " as given"
    variable = variable_of(name)
    if variable in environment:
        return environment[variable], f" from {variable}"
    return spec.default, ""


def variable_of(name: str) -> str:
    """Return the environment variable that gives a param."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def _how_to_give(name: str, spec: Param) -> str:
    if innermost(spec.type) in VALUES:
        return f"only a workflow that uses this one can give a {spec.type}, below `with:`"
    return f"give one with -p {name}=…, or a default"


def from_text(raw: Any, spec: Param) -> Any:
    """Return what a text from a command line or a variable means for a param; ValueError when it can't be read."""
    if not isinstance(raw, str) or spec.type == "str":
        return raw
    if spec.type == "enum":
        return next((choice for choice in spec.choices or () if str(choice) == raw), raw)
    if spec.type in SCALARS:
        return raw
    container, inner = inside(spec.type)
    if container == "list" and inner in SCALARS and not raw.lstrip().startswith("["):
        # `-p words=a,b`: texts, which the type of an item reads
        return [item.strip() for item in raw.split(",")] if raw.strip() else []
    try:
        return read_text(raw.encode(errors="replace"), "")[0]
    except WorkflowInvalid as error:
        raise ValueError(f"can't read {raw!r}: {error.diagnostics[0].what}") from None
