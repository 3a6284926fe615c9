"""Compiles a workflow file into a plan, or says everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from rallyflow.compile.cells import Expansion
from rallyflow.compile.diagnostics import Diagnostics, Source
from rallyflow.compile.draft import Draft, read_step, substitute, templates_in
from rallyflow.compile.params import resolve_params
from rallyflow.compile.reader import read_workflow
from rallyflow.compile.references import Names
from rallyflow.compile.validation import validate
from rallyflow.expressions import ExpressionError, expressions_of
from rallyflow.hints import did_you_mean
from rallyflow.model.plan import Plan
from rallyflow.model.workflow import Defaults, Param, Workflow

_STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def compile_file(path: Path, given: Mapping[str, Any] | None = None) -> Plan:
    """Return the plan of a workflow file with the given params.

    Raises UsageError when the file can't be read, and WorkflowInvalid with all of its errors.
    """
    data, source = read_workflow(path)
    return compile_data(data, source, given or {})


def compile_data(data: Any, source: Source, given: Mapping[str, Any]) -> Plan:
    """Return the plan of a file that has been read; WorkflowInvalid with all of its errors."""
    errors = Diagnostics(source)
    if not isinstance(data, dict):
        errors.value((), "RF0212", "a workflow is a mapping", "start with `rallyflow: 1`, `name:` and `steps:`")
        errors.stop_if_any()
    specs = _params(data, errors)
    params = resolve_params(specs, given, errors)
    known_params = {**dict.fromkeys(data["params"] if isinstance(data.get("params"), dict) else ()), **params}
    header = _header(data, known_params, errors)
    drafts = _steps(data, known_params, errors)
    names = Names(known_params, header.secrets if header else [], drafts, errors)
    _check_references(data, names, drafts, errors)
    order = _order(drafts, errors)
    expansion = Expansion(params, header.defaults if header else Defaults(), errors)
    for name in order:
        draft = drafts[name]
        if draft is not None:
            expansion.add(draft, [need for need in order if need in draft.needs and need in expansion])
    errors.stop_if_any()
    assert header is not None  # noqa: S101 - its errors would have been raised just above
    return Plan(
        name=header.name,
        file=source.name,
        steps=tuple(expansion.steps.values()),
        groups=expansion.groups,
        params=params,
        secrets=tuple(header.secrets),
        teardown=header.teardown,
        outputs=header.outputs,
        description=header.description,
    )


def _params(data: Mapping[str, Any], errors: Diagnostics) -> dict[str, Param]:
    raw = data.get("params") or {}
    if not isinstance(raw, dict):
        return {}  # the header's own validation says so
    found = {name: validate(Param, spec, ("params", name), errors) for name, spec in raw.items()}
    return {name: spec for name, spec in found.items() if spec is not None}


def _header(data: dict[str, Any], params: Mapping[str, Any], errors: Diagnostics) -> Workflow | None:
    """Validate everything but params and steps, which are read one by one."""
    defaults = substitute(data.get("defaults", {}), ("defaults",), params, errors)
    rest = {**data, "defaults": Defaults() if defaults is None else defaults}
    if isinstance(data.get("params"), dict):
        rest.pop("params")
    if isinstance(data.get("steps"), dict) and data["steps"]:
        rest["steps"] = {"placeholder": {"uses": "noop"}}
    return validate(Workflow, rest, (), errors)


def _steps(data: Mapping[str, Any], params: Mapping[str, Any], errors: Diagnostics) -> dict[str, Draft | None]:
    raw = data.get("steps")
    drafts: dict[str, Draft | None] = {}
    for name, step in raw.items() if isinstance(raw, dict) else ():
        if not _STEP_NAME.fullmatch(name):
            errors.key(
                ("steps", name),
                "RF0212",
                f"{name!r} is not a name for a step",
                "use letters, digits, '_' and '-'",
            )
        drafts[name] = read_step(name, step, params, errors)
    return drafts


def _check_references(
    data: Mapping[str, Any], names: Names, drafts: Mapping[str, Draft | None], errors: Diagnostics
) -> None:
    for name, draft in drafts.items():
        _check_needs(name, data["steps"][name], drafts, errors)
        if draft is None:
            continue
        draft.needs.update(need for need in draft.spec.needs if need in drafts)
        for place, expressions in draft.templates.items():
            names.check(place, expressions, draft)
            names.check_fit(place, expressions, _look_up(data, place), draft)
    outputs = data.get("outputs")
    for place, text in templates_in(outputs if isinstance(outputs, dict) else {}, ("outputs",)):
        try:
            names.check(place, expressions_of(text), None)
        except ExpressionError as error:
            errors.value(place, "RF0240", str(error), error.hint)


def _check_needs(name: str, raw: Any, drafts: Mapping[str, Draft | None], errors: Diagnostics) -> None:
    """Check the names in `needs`, also those of a step that has other errors."""
    needs = raw.get("needs") if isinstance(raw, dict) else None
    for index, need in enumerate(needs if isinstance(needs, list) else ()):
        if isinstance(need, str) and need not in drafts:
            hint = did_you_mean(need, drafts)
            errors.value(("steps", name, "needs", index), "RF0220", f"there is no step {need!r}", hint)


def _look_up(data: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        data = data[key]
    return data


def _order(drafts: Mapping[str, Draft | None], errors: Diagnostics) -> list[str]:
    """Return the names of steps in topological order, the file's order where there is a choice."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(drafts)
    for draft in drafts.values():
        if draft is not None:
            graph.add_edges_from((need, draft.name) for need in draft.needs)
    position = {name: index for index, name in enumerate(drafts)}
    try:
        return list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))
    except nx.NetworkXUnfeasible:
        for cycle in nx.simple_cycles(graph):
            start = min(cycle, key=position.__getitem__)
            turned = cycle[cycle.index(start) :] + cycle[: cycle.index(start)]
            text = " -> ".join([*turned, turned[0]])
            errors.key(
                ("steps", start),
                "RF0221",
                f"steps wait for each other: {text}",
                "a step can't need what needs it",
            )
            break
        return list(drafts)
