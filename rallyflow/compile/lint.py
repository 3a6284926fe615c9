"""Advice about a workflow that is valid: what is likely to hurt later, and what is of no use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.draft import Draft, templates_in
from rallyflow.compile.unit import Unit
from rallyflow.errors import Diagnostic
from rallyflow.expressions import Reference, expressions_of
from rallyflow.model.plan import Plan, PlannedStep

MANY_CELLS = 200
"""From how many cells on a matrix of steps that do real work is an explosion."""
OURS = "rallyflow"
"""The catalog that comes with this program, and changes only with it."""
_SLOW = ("provision", "deploy", "verify")
_ROOT = r"((?:params|secrets|steps|matrix|item|run)\.[\w.]+)"
_LOOKALIKE = re.compile(rf"\{{\{{\s*{_ROOT}\s*\}}\}}|\$\{{\s*{_ROOT}\s*\}}|\$\(\s*{_ROOT}\s*\)")
_PROPER = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_IGNORE = re.compile(r"#\s*lint:\s*ignore\b([\sRF0-9,]*)")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A workflow that has been compiled, with what its file says."""

    unit: Unit
    plan: Plan
    data: Mapping[str, Any]
    used: frozenset[tuple[str, str]]  # (root, name) of every reference in the file

    @property
    def drafts(self) -> list[Draft]:
        return [draft for draft in self.unit.drafts.values() if draft is not None]

    def cells(self, draft: Draft) -> list[PlannedStep]:
        """Return the steps of the plan that a step of the file is."""
        ids = self.plan.groups.get(draft.name) or (draft.name,)
        wanted = {*ids}
        return [step for step in self.plan.steps if step.id in wanted]


def lint(unit: Unit, plan: Plan) -> list[Diagnostic]:
    """Return advice about the file at the top, in file order, without what a `# lint: ignore` beside it silences."""
    data = unit.file.data
    references = (found for _, text in templates_in(data, ()) for found in _references(text))
    conditions = (found for draft in unit.drafts.values() if draft for found in _of_condition(draft))
    used = frozenset((each.root, each.path[0]) for each in (*references, *conditions) if each.path)
    checked = _Checked(unit, plan, data, used)
    advice = Diagnostics(unit.errors.source)
    for check in _CHECKS:
        for path, code, what, hint in check(checked):
            (advice.value if code == "RF0910" else advice.key)(path, code, what, hint)
    return [each for each in advice.in_order() if not _silenced(each, unit.errors.source.lines)]


_Advice = Iterator[tuple[Path, str, str, str]]


def _unused_names(checked: _Checked) -> _Advice:
    whole = {root for root, name in checked.used if not name}
    for key, root, word in (("params", "params", "param"), ("secrets", "secrets", "secret")):
        for position, name in enumerate(checked.data.get(key) or ()):
            if (root, name) not in checked.used and root not in whole:
                place: Path = (key, position if isinstance(checked.data[key], list) else name)
                yield place, "RF0901", f"nothing uses the {word} {name!r}", "remove it, or use it"


def _unused_steps(checked: _Checked) -> _Advice:
    needed = {need for draft in checked.drafts for need in draft.needs} | {
        name for root, name in checked.used if root == "steps"
    }
    for draft in checked.drafts:
        pointless = draft.kind.step.pure or draft.spec.uses.partition("/")[0] in ("provision", "deploy")
        if pointless and draft.name not in needed:
            yield (
                draft.path,
                "RF0902",
                f"nothing uses what step {draft.name!r} gives",
                "remove it, or refer to its outputs",
            )


def _unused_limits(checked: _Checked) -> _Advice:
    taken = {name for step in checked.plan.steps for name, _ in step.claims}
    for name in checked.data.get("limits") or ():
        if f"limit:{name}" not in taken:
            yield (
                ("limits", name),
                "RF0901",
                f"no step takes the limit {name!r}",
                "add `limits: [...]` to the steps, or remove it",
            )


def _unused_defaults(checked: _Checked) -> _Advice:
    uses = {part for draft in checked.drafts for part in (draft.spec.uses, draft.spec.uses.partition("/")[0])}
    for name in (checked.data.get("defaults") or {}).get("types") or ():
        if name not in uses:
            yield ("defaults", "types", name), "RF0901", f"no step uses {name!r}, which has defaults", "remove them"


def _times(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        if draft.spec.uses.partition("/")[0] in _SLOW and draft.spec.timeout is None:
            what = f"step {draft.name!r} ({draft.spec.uses}) has no timeout: when it hangs, so does the run"
            yield draft.path, "RF0903", what, "add `timeout: 30m` to it, or to `defaults`"


def _repeats(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        if not draft.kind.step.repeatable and draft.spec.retry is not None and draft.spec.retry.attempts > 1:
            what = (
                f"step {draft.name!r} is tried up to {draft.spec.retry.attempts} times, but may not be safe to repeat"
            )
            yield (
                (*draft.path, "retry"),
                "RF0904",
                what,
                "is it harmless to run the command twice? if not: retry: {attempts: 1}",
            )


def _cells(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        count = len(checked.plan.groups.get(draft.name, ()))
        if count > MANY_CELLS and not draft.kind.step.inline:
            what = f"the matrix of {draft.name!r} has {count} cells"
            hint = f"at a minute each they take {count / 60:.0f} hours; exclude some, or try fewer values of an axis"
            yield (*draft.path, "matrix"), "RF0905", what, hint


def _reports(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        measured = [need for need in sorted(draft.needs) if _is_measurement(checked.unit.drafts.get(need))]
        if draft.spec.uses.startswith("report/") and not draft.condition and measured:
            what = f"step {draft.name!r} is skipped when {measured[0]!r} fails, when a report is needed most"
            yield draft.path, "RF0906", what, "add `if: always()`"


def _early_reports(checked: _Checked) -> _Advice:
    measured = [draft.name for draft in checked.drafts if _is_measurement(draft)]
    for draft in checked.drafts:
        if draft.spec.uses.startswith("report/") and "of" not in draft.spec.with_:
            missed = [name for name in measured if name not in _before(draft, checked)]
            if missed:
                what = f"step {draft.name!r} reports all of the run, but does not wait for {missed[0]!r}"
                yield draft.path, "RF0911", what, f"add `needs: [{', '.join(missed)}]`"


def _before(draft: Draft, checked: _Checked) -> set[str]:
    """Return the names of all steps that end before this one starts."""
    found: set[str] = set()
    waiting = [*draft.needs]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            before = checked.unit.drafts.get(name)
            waiting += before.needs if before else ()
    return found


def _criteria(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        if draft.spec.uses == "benchmark" and "sla" not in draft.spec.with_:
            what = f"benchmark {draft.name!r} has no sla: it fails only when an iteration does"
            yield draft.path, "RF0907", what, "add criteria such as `sla: [{p95: {max: 10s}}]`"


def _leftovers(checked: _Checked) -> _Advice:
    if checked.plan.teardown == "never":
        yield (
            ("teardown",),
            "RF0908",
            "what the run makes stays until somebody destroys it",
            "`rallyflow resources` lists it, `rallyflow destroy` removes it",
        )


def _pins(checked: _Checked) -> _Advice:
    for draft in checked.drafts:
        catalog = draft.kind.file.catalog if draft.kind.file else ""
        if catalog and catalog != OURS:
            what = f"the catalog {catalog!r} is not pinned: its content may change"
            yield (*draft.path, "uses"), "RF0909", what, f"pin it: rallyflow catalog add {catalog}"


def _lookalikes(checked: _Checked) -> _Advice:
    for place, text in _texts_in(checked.data, ()):
        match = _LOOKALIKE.search(_PROPER.sub("", text))
        if match:
            meant = next(filter(None, match.groups()))
            what = f"{match[0]!r} is plain text here, as a shell or another tool may want it"
            yield place, "RF0910", what, f"if a value is meant, write ${{{{ {meant} }}}}"


def _texts_in(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts_in(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts_in(value, (*path, index))
    elif isinstance(data, str):
        yield path, data


def _is_measurement(draft: Draft | None) -> bool:
    return draft is not None and draft.spec.uses.partition("/")[0] in ("benchmark", "verify")


def _references(text: str) -> list[Reference]:
    found = [each for expression in expressions_of(text) for each in expression.references]
    return [each if each.path else Reference(each.root, ("",)) for each in found]


def _of_condition(draft: Draft) -> list[Reference]:
    expressions = draft.templates.get((*draft.path, "if"), [])
    return [found for expression in expressions for found in expression.references]


def _silenced(advice: Diagnostic, lines: list[str]) -> bool:
    match = _IGNORE.search(lines[advice.line - 1]) if 0 < advice.line <= len(lines) else None
    return match is not None and (not match[1].strip() or advice.code in match[1])


_CHECKS = (
    *(_unused_names, _unused_steps, _unused_limits, _unused_defaults, _times, _repeats),
    *(_cells, _reports, _early_reports, _criteria, _leftovers, _pins, _lookalikes),
)
