"""Compiles one file where it is used: at the top, or as a step of another file, whose steps it then becomes."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rallyflow.compile import inlining
from rallyflow.compile.cells import Cell, Expansion, Growing, units_of
from rallyflow.compile.defaults import with_defaults
from rallyflow.compile.draft import Draft, Params, check_keys_of_workflow, read_step, substitute, templates_in
from rallyflow.compile.files import File, Files
from rallyflow.compile.interface import kind_of, secrets_of, specs_of
from rallyflow.compile.kinds import NOTHING_KNOWN, KindError, is_workflow
from rallyflow.compile.order import CycleError, in_order
from rallyflow.compile.params import resolve_params
from rallyflow.compile.references import Names
from rallyflow.compile.validation import validate
from rallyflow.expressions import ExpressionError, expressions_of, is_template
from rallyflow.hints import did_you_mean
from rallyflow.model.params import annotation_of
from rallyflow.model.plan import Scope
from rallyflow.model.secret import SecretSource
from rallyflow.model.workflow import Param, Workflow

_STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MOST_STEPS = 500_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is used, and what it is given there."""

    given: Mapping[str, Any]
    chain: tuple[Path, ...]  # the real paths of the files that use each other, down to this one
    environment: Mapping[str, str] | None  # of params; None for that of the process
    late: frozenset[str] = frozenset()  # params that only a run knows
    scope: str = ""
    gate: str = ""
    valid: bool = True  # whether what is given is good; when not, which has been said, no param is known to be anything


class Unit:
    """One file in one place."""

    def __init__(self, file: File, files: Files, place: Place, plan: Growing) -> None:
        """Steps are added to `plan`, errors to the file's own."""
        self.file = file
        self.files = files
        self.place = place
        self.plan = plan
        self.errors = file.errors
        self.header: Workflow | None = None
        self.params = Params({})
        self.drafts: dict[str, Draft | None] = {}  # None for a step of which nobody knows what it gives
        self.unknown: list[Draft] = []  # those steps, for all that can be checked in them
        self.expansion: Expansion

    def compile(self) -> None:
        """Add every step of the file to the plan; errors are noted."""
        data = self.file.data
        if not isinstance(data, dict):
            hint = "start with `rallyflow: 1`, `name:` and `steps:`"
            self.errors.value((), "RF0212", "a workflow is a mapping", hint)
            return
        specs = specs_of(self.file)
        self.params = self._params(specs)
        self.header = self._header(data)
        secrets = secrets_of(self.header.secrets if self.header else data.get("secrets"))
        self.plan.secrets = {**self._at_home(secrets), **self.plan.secrets}
        self.plan.limits = {**(self.header.limits if self.header else _names_of_limits(data)), **self.plan.limits}
        self._read_steps(data)
        declared = {name: annotation_of(specs[name].type) if name in specs else Any for name in self.params}
        names = Names(self.params, declared, secrets, self.drafts, self.errors)
        self._check(data, names)
        self._expand()

    def _at_home(self, secrets: Mapping[str, SecretSource]) -> dict[str, SecretSource]:
        """Return secrets of which those in files are looked for in the folder of the workflow that declares them."""
        if not self.place.scope:
            return dict(secrets)
        folder = self.file.path.parent.absolute()
        return {
            name: source.model_copy(update={"file": folder / source.file}) if source.file else source
            for name, source in secrets.items()
        }

    def _params(self, specs: Mapping[str, Param]) -> Params:
        place = self.place
        raw = self.file.data.get("params")
        declared = {name for name in raw if isinstance(name, str)} if isinstance(raw, dict | list) else set()
        if not place.valid:
            return Params({}, broken=frozenset(declared))
        given = {name: value for name, value in place.given.items() if name in specs or name not in declared}
        known = resolve_params(specs, given, self.errors, place.environment, place.late)
        late = frozenset(place.late & specs.keys())
        return Params(known, late, frozenset(declared - known.keys() - late))

    def _header(self, data: dict[str, Any]) -> Workflow | None:
        """Validate everything but params and steps, which are read one by one."""
        early = {key: self._early(data, key) for key in ("limits", "ttl")}
        rest = {**data, "defaults": self._defaults(data), **early}
        if isinstance(data.get("params"), dict):
            rest.pop("params")
        if isinstance(data.get("steps"), dict) and data["steps"]:
            rest["steps"] = {"placeholder": {"uses": "noop"}}
        return validate(Workflow, {key: value for key, value in rest.items() if key in data}, (), self.errors)

    def _early(self, data: Mapping[str, Any], key: str) -> Any:
        return substitute(data.get(key, {}), (key,), self.params, self.errors)

    def _defaults(self, data: Mapping[str, Any]) -> Any:
        """Return the defaults without the inputs of step types, which are checked in the steps that take them."""
        defaults = data.get("defaults", {})
        types = defaults.get("types") if isinstance(defaults, dict) else None
        if isinstance(types, dict):
            for name, layer in types.items():
                self._check_type_of_defaults(name, layer)
            kept = {name: _without_inputs(layer) for name, layer in types.items()}
            defaults = {**defaults, "types": kept}
        return substitute(defaults, ("defaults",), self.params, self.errors)

    def _check_type_of_defaults(self, name: str, layer: Any) -> None:
        from rallyflow import plugins

        known = [*plugins.step_types(), *plugins.FAMILIES]
        if name not in known and not is_workflow(name):
            path = ("defaults", "types", name)
            self.errors.key(path, "RF0214", f"there is no step type {name!r}", did_you_mean(name, known))
        if is_workflow(name) and isinstance(layer, dict):
            check_keys_of_workflow(("defaults", "types", name), layer, self.errors)

    def _read_steps(self, data: Mapping[str, Any]) -> None:
        raw = data.get("steps")
        for name, step in raw.items() if isinstance(raw, dict) else ():
            path = ("steps", name)
            if not _STEP_NAME.fullmatch(name):
                hint = "use letters, digits, '_' and '-', first a letter or '_'"
                self.errors.key(path, "RF0212", f"{name!r} is not a name for a step", hint)
            if not isinstance(step, dict):
                self.errors.value(
                    path, "RF0212", f"step {name!r} must be a mapping", "write at least `uses: …` below it"
                )
                self.drafts[name] = None
                continue
            self.drafts[name] = self._read_step(name, step, data.get("defaults"))

    def _read_step(self, name: str, raw: dict[str, Any], defaults: Any) -> Draft | None:
        uses = raw.get("uses")
        kind = None
        if is_template(uses):
            what, hint = "an expression can't say what a step uses", "write the step type, or two steps with an `if:`"
            self.errors.value(("steps", name, "uses"), "RF0245", what, hint)
        elif isinstance(uses, str):
            if is_workflow(uses):
                check_keys_of_workflow(("steps", name), raw, self.errors)
            try:
                kind = kind_of(raw, self.file, self.place.chain, self.files, self.errors.source.where(("steps", name)))
            except KindError as problem:
                if problem.what:
                    self.errors.value(("steps", name, "uses"), problem.code, problem.what, problem.hint)
        merged = with_defaults(raw, ("steps", name), defaults, self.errors.source)
        draft = read_step(name, merged, kind or NOTHING_KNOWN, self.params, self.errors)
        if kind is not None:
            return draft
        self.unknown.append(draft)
        return None

    def _check(self, data: Mapping[str, Any], names: Names) -> None:
        for name, draft in self.drafts.items():
            self._check_needs(name, data["steps"][name])
            if draft is not None:
                draft.needs.update(need for need in draft.spec.needs if need in self.drafts)
                names.check(draft)
                self._check_limits(draft)
        for draft in self.unknown:
            names.check(draft)
        outputs = data.get("outputs")
        for place, text in templates_in(outputs if isinstance(outputs, dict) else {}, ("outputs",)):
            try:
                names.check_output(place, expressions_of(text))
            except ExpressionError as error:
                self.errors.value(place, error.code, str(error), error.hint)

    def _check_needs(self, name: str, raw: Any) -> None:
        """Check the names in `needs`, also those of a step that has other errors."""
        needs = raw.get("needs") if isinstance(raw, dict) else None
        for index, need in enumerate(needs if isinstance(needs, list) else ()):
            if isinstance(need, str) and need not in self.drafts and not is_template(need):
                hint = did_you_mean(need.removeprefix("steps."), self.drafts)
                self.errors.value(("steps", name, "needs", index), "RF0220", f"there is no step {need!r}", hint)

    def _check_limits(self, draft: Draft) -> None:
        for position, (name, units) in enumerate(units_of(draft.spec.limits)):
            place = (*draft.path, "limits", name if isinstance(draft.spec.limits, dict) else position)
            most = self.plan.limits.get(name)
            if most is None:
                hint = did_you_mean(name, self.plan.limits) or f"declare it at the top: `limits: {{{name}: 4}}`"
                self.errors.value(place, "RF0263", f"there is no limit {name!r}", hint)
            elif units > most:
                self.errors.value(place, "RF0263", f"{units} units of the limit {name!r}, which has {most}")

    def _expand(self) -> None:
        place = self.place
        expansion = Expansion(self.params, place.scope, place.gate, self.errors, self.plan, self._inline)
        self.expansion = expansion
        order = self._order()
        position = {name: number for number, name in enumerate(order)}
        for name in order:
            draft = self.drafts[name]
            if draft is not None:
                known = sorted((need for need in draft.needs if need in expansion), key=position.__getitem__)
                expansion.add(draft, known)

    def _order(self) -> list[str]:
        """Return the names of steps in topological order, the file's order where there is a choice."""
        needs = {name: sorted(draft.needs) if draft is not None else [] for name, draft in self.drafts.items()}
        whole = True
        while True:
            try:
                order = in_order(needs)
            except CycleError as error:
                cycle = list(error.args[1])[:-1]
                self._note_cycle(cycle)
                needs = {name: sorted({*before} - {*cycle}) for name, before in needs.items() if name not in cycle}
                whole = False
            else:
                return order if whole else list(self.drafts)

    def _note_cycle(self, cycle: list[str]) -> None:
        position = {name: index for index, name in enumerate(self.drafts)}
        start = min(cycle, key=position.__getitem__)
        turned = cycle[cycle.index(start) :] + cycle[: cycle.index(start)]
        text = " -> ".join([*turned, turned[0]])
        self.errors.key(
            ("steps", start), "RF0221", f"steps wait for each other: {text}", "a step can't need what needs it"
        )

    def _inline(self, draft: Draft, cell: Cell) -> None:
        """Put the steps of a workflow in the place of a cell: a gate before them, and the step itself behind them."""
        file = draft.kind.file
        assert file is not None  # noqa: S101 - who calls this has looked
        gate = inlining.gate_of(self.expansion.planned(draft, cell), cell, specs_of(file))
        self.plan.steps[gate.id] = gate
        given, late = inlining.split_params(cell)
        chain = (*self.place.chain, file.path.resolve())
        place = Place(given, chain, {}, late, cell.id, gate.id, valid=cell.valid)
        inner = Unit(file, self.files, place, self.plan)
        inner.compile()
        if inner.header is None:
            return
        self.plan.scopes[cell.id] = Scope(cell.id, file.name, inner.header.name, gate.id, inner.params.known)
        inside = [inner.expansion.full(name) for name in inner.drafts if name in inner.expansion]
        planned = self.expansion.planned(draft, cell)
        self.plan.steps[cell.id] = inlining.end_of(planned, gate, inside, inner.header.outputs, self.plan)
        if len(self.plan.steps) > _MOST_STEPS:
            self.errors.key(draft.path, "RF0231", f"the workflow has more than {_MOST_STEPS} steps")
            self.files.stop_if_any()


def _names_of_limits(data: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits of a file that declares some wrongly: that is said there, and not where they are taken."""
    raw = data.get("limits")
    return {name: sys.maxsize for name in raw if isinstance(name, str)} if isinstance(raw, dict | list) else {}


def _without_inputs(layer: Any) -> Any:
    """Return the defaults of a step type without the inputs, as long as those are a mapping."""
    if isinstance(layer, dict) and isinstance(layer.get("with"), dict):
        return {key: value for key, value in layer.items() if key != "with"}
    return layer
