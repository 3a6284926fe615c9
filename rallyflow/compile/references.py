"""Checks every expression of a file: does what it names exist, does its type fit, which steps does it wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from rallyflow.compile import types
from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.draft import Draft, Params
from rallyflow.compile.inference import CellsOf, Record, TypeProblem, article, infer
from rallyflow.compile.matrix import rows_of
from rallyflow.compile.suggestions import suggestion
from rallyflow.expressions import FUNCTIONS, ROOTS, Expression, Reference, is_template
from rallyflow.hints import did_you_mean

_RUN_FIELDS = ("id", "name", "directory")
_CODES = {"params": "RF0242", "matrix": "RF0243", "secrets": "RF0244", "run": "RF0241"}
_WORDS = {"params": "param", "matrix": "matrix axis", "secrets": "secret", "run": "field of run"}
_DECLARE = {"params": "declare it: `params: {{{name}: {{type: int}}}}`", "secrets": "declare it: `secrets: [{name}]`"}
_ALONE = "only the expressions of a foreach step have an item"


class Names:
    """All that an expression can refer to in one file."""

    def __init__(
        self,
        params: Params,
        types_of_params: Mapping[str, Any],
        secrets: Iterable[str],
        drafts: Mapping[str, Draft | None],
        errors: Diagnostics,
    ) -> None:
        """`drafts` has None for a step that could not be read: references to it are not errors of their own."""
        self.params = params
        self.types_of_params = types_of_params
        self.secrets = list(secrets)
        self.drafts = drafts
        self.errors = errors

    def check(self, draft: Draft) -> None:
        """Check all expressions of a step; steps that they wait for are added to its needs."""
        if isinstance(draft.spec.foreach, str) and not is_template(draft.spec.foreach):
            what, hint = (
                f"foreach takes a list, not {draft.spec.foreach!r}",
                "write [a, b], or ${{ steps.NAME.OUTPUT }}",
            )
            self.errors.value((*draft.path, "foreach"), "RF0224", what, hint)
        for place, expressions in draft.templates.items():
            key = str(place[2])
            if not self._are_known(place, expressions, draft):
                continue
            names = self._names_for(draft, key)
            have = self._type_of(place, expressions, names, alone=place in draft.alone)
            if key == "with":
                self._check_fit(place, expressions, have, draft)
            elif key == "foreach" and len(place) == 3 and types.item_type(have) is None and have is not Any:
                what = expressions[0].source if place in draft.alone else "this"
                self.errors.value(place, "RF0224", f"foreach takes a list; {what} is {article(have)}")

    def check_output(self, place: Path, expressions: list[Expression]) -> None:
        """Check the expressions of an output of the workflow."""
        if self._are_known(place, expressions, None):
            self._type_of(place, expressions, self._common, alone=False)

    def _are_known(self, place: Path, expressions: list[Expression], draft: Draft | None) -> bool:
        """Check all names of a place; returns whether all of them exist, so that types can be looked at."""
        before = self.errors.noted
        broken = False
        for expression in expressions:
            for function in expression.calls:
                self._check_function(place, function)
            for reference in expression.references:
                self._check_reference(place, reference, draft)
                broken |= (
                    reference.root == "steps" and bool(reference.path) and self.drafts.get(reference.path[0]) is None
                )
        return self.errors.noted == before and not broken

    def _type_of(self, place: Path, expressions: list[Expression], names: Mapping[str, Any], *, alone: bool) -> Any:
        found: Any = Any
        for expression in expressions:
            try:
                found = infer(expression.body, names)
            except TypeProblem as problem:
                self.errors.value(place, problem.code, problem.what, problem.hint)
                return Any
        return found if alone else str

    def _check_fit(self, place: Path, expressions: list[Expression], have: Any, draft: Draft) -> None:
        """Check that a value that is known later is of the type that its place takes."""
        if not self.params.are_late(expressions):
            return  # the value itself is looked at
        want = types.at(draft.kind.inputs, place[len(draft.path) + 1 :])
        if have is None or want is None or types.fits(have, want):
            return
        what = expressions[0].source if place in draft.alone else "this"
        self.errors.value(
            place,
            "RF0224",
            f"{what} is {article(have)}, but {place[-1]!r} wants {article(want)}",
            suggestion(expressions, have, want, alone=place in draft.alone) or self._others(expressions, want),
        )

    def _others(self, expressions: list[Expression], want: Any) -> str:
        given = {each.source for each in expressions}
        options = [
            f"steps.{name}.{field}"
            for name, draft in self.drafts.items()
            if draft is not None and not draft.axes
            for field, annotation in types.fields_of(draft.kind.outputs).items()
            if _is_value(annotation) and types.fits(annotation, want) and f"steps.{name}.{field}" not in given
        ]
        return f"did you mean {options[0]}?" if options else ""

    @cached_property
    def _common(self) -> Mapping[str, Any]:
        return {
            "params": Record(self.types_of_params, "param", "RF0242"),
            "secrets": Record(dict.fromkeys(self.secrets, str), "secret", "RF0244"),
            "steps": Record({name: _outputs(draft) for name, draft in self.drafts.items()}, "step", "RF0220"),
            "run": Record(dict.fromkeys(_RUN_FIELDS, str), "field of run"),
        }

    def _names_for(self, draft: Draft, key: str) -> Mapping[str, Any]:
        names = dict(self._common)
        if draft.spec.matrix is not None and key != "matrix":
            names["matrix"] = Record(self._axes(draft), "matrix axis", "RF0243")
        if draft.spec.foreach is not None and key != "foreach":
            names["item"] = self._item(draft)
        return names

    def _axes(self, draft: Draft) -> dict[str, Any]:
        matrix = draft.spec.matrix or {}
        included = {axis for row in rows_of(matrix.get("include")) for axis in row}
        return {
            axis: Any if axis in included else self._item_of(matrix.get(axis), (*draft.path, "matrix", axis), draft)
            for axis in draft.axes
        }

    def _item(self, draft: Draft) -> Any:
        return self._item_of(draft.spec.foreach, (*draft.path, "foreach"), draft)

    def _item_of(self, values: Any, place: Path, draft: Draft) -> Any:
        """Return the type of the items of a list in the file, or of an expression for one."""
        if isinstance(values, list):
            kinds = {type(value) for value in values}
            templates = any(inner[: len(place)] == place for inner in draft.templates)
            return kinds.pop() if len(kinds) == 1 and not templates and kinds <= {str, int, float, bool} else Any
        expressions = draft.templates.get(place, [])
        if len(expressions) != 1 or place not in draft.alone:
            return Any
        try:
            found = types.item_type(infer(expressions[0].body, self._common))
        except TypeProblem:
            return Any  # noted where the list itself is checked
        return Any if found is None else found

    def _check_function(self, place: Path, function: str) -> None:
        if function == "range":
            return
        if function not in FUNCTIONS:
            self.errors.value(
                place,
                "RF0241",
                f"there is no function {function!r}",
                did_you_mean(function, [*FUNCTIONS, "range"]),
            )
        elif place[-1] != "if":
            self.errors.value(place, "RF0241", f"{function}() is only for `if:`")

    def _check_reference(self, place: Path, reference: Reference, draft: Draft | None) -> None:
        key = place[2] if draft is not None else "outputs"
        if reference.root not in ROOTS:
            self._no_such_root(place, reference)
        elif key == "matrix" and reference.root != "params":
            self.errors.value(
                place, "RF0245", f"{reference.root} can't be used in a matrix", "only params can; see foreach"
            )
        elif reference.root == "item":
            if draft is None or draft.spec.foreach is None or key == "foreach":
                self.errors.value(place, "RF0241", "there is no item here", _ALONE)
        elif not reference.path:
            if reference.root in ("steps", "secrets"):
                self.errors.value(place, "RF0241", f"{reference.root!r} needs a name after it")
        elif reference.root == "steps":
            self._check_step(place, reference, draft)
        else:
            self._check_name(place, reference, draft)

    def _no_such_root(self, place: Path, reference: Reference) -> None:
        hint = did_you_mean(reference.root, ROOTS, "an expression starts from one of: {}")
        if reference.root in (*FUNCTIONS, "range"):
            hint = f"write {reference.root}()"
        elif reference.root in self.drafts:
            hint = f"write steps.{reference.root}"
        elif reference.root in self.params:
            hint = f"write params.{reference.root}"
        self.errors.value(place, "RF0241", f"there is no name {reference.root!r}", hint)

    def _check_name(self, place: Path, reference: Reference, draft: Draft | None) -> None:
        root, name = reference.root, reference.path[0]
        known: Any = {
            "params": self.params,
            "secrets": self.secrets,
            "run": _RUN_FIELDS,
            "matrix": draft.axes if draft is not None and draft.spec.matrix is not None else (),
        }[root]
        if name in known:
            if root == "secrets" and draft is not None and draft.kind.file is not None:
                self.errors.value(
                    place,
                    "RF0245",
                    "a secret can't be given to a workflow as a param",
                    f"declare it there: `secrets: [{name}]`",
                )
            return
        if root == "matrix" and not known:
            self.errors.value(place, _CODES[root], "there is no matrix here", "add a matrix to the step, or use params")
            return
        hint = did_you_mean(name, known) or _DECLARE.get(root, "").format(name=name)
        self.errors.value(place, _CODES[root], f"there is no {_WORDS[root]} {name!r}", hint)

    def _check_step(self, place: Path, reference: Reference, draft: Draft | None) -> None:
        name = reference.path[0]
        if name not in self.drafts:
            self.errors.value(place, "RF0220", f"there is no step {name!r}", did_you_mean(name, self.drafts))
            return
        if draft is not None:
            draft.needs.add(name)
        target = self.drafts[name]
        if target is not None:
            self._check_where(place, reference, target)
            self._check_output_name(place, reference, target)

    def _check_output_name(self, place: Path, reference: Reference, target: Draft) -> None:
        outputs = types.fields_of(target.kind.outputs)
        if len(reference.path) > 1 and reference.path[1] == "where" and target.axes:
            self.errors.value(place, "RF0243", "where() takes matrix axes by their names", "as in where(users=5)")
        elif len(reference.path) > 1 and reference.path[1] not in outputs:
            hint = did_you_mean(reference.path[1], outputs, "its outputs are: {}") or "it has no outputs"
            self.errors.value(
                place,
                "RF0223",
                f"step {target.name!r} ({target.spec.uses}) has no output {reference.path[1]!r}",
                hint,
            )

    def _check_where(self, place: Path, reference: Reference, target: Draft) -> None:
        if reference.where is None:
            return
        if not target.axes:
            self.errors.value(place, "RF0243", f"step {target.name!r} has no matrix to choose from with where()")
        for axis, _ in reference.where:
            if target.axes and axis not in target.axes:
                self.errors.value(
                    place,
                    "RF0243",
                    f"the matrix of {target.name!r} has no axis {axis!r}",
                    did_you_mean(axis, target.axes),
                )


def _outputs(draft: Draft | None) -> Any:
    if draft is None:
        return Any
    return CellsOf(draft.kind.outputs, draft.axes) if draft.axes else draft.kind.outputs


def _is_value(annotation: Any) -> bool:
    """Whether something of this type can hardly be meant for anything else: a Cloud, a list of servers."""
    return types.is_model(types.bare(annotation)) or types.is_model(types.bare(types.item_type(annotation)))
