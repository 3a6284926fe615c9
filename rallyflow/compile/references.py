"""Checks every reference of every expression: does it exist, what type has it, which steps does it wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow.compile import types
from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.compile.draft import Draft
from rallyflow.expressions import FUNCTIONS, ROOTS, Expression, Reference
from rallyflow.hints import did_you_mean

_RUN_FIELDS = ("id", "name", "directory")


class Names:
    """All that an expression can refer to in one file."""

    def __init__(
        self,
        params: Mapping[str, Any],
        secrets: list[str],
        drafts: Mapping[str, Draft | None],
        errors: Diagnostics,
    ) -> None:
        """`drafts` has None for a step that could not be read: references to it are not errors of their own."""
        self.params = params
        self.secrets = secrets
        self.drafts = drafts
        self.errors = errors

    def check(self, place: Path, expressions: list[Expression], draft: Draft | None) -> None:
        """Check all references of a place; steps that they wait for are added to the draft's needs."""
        for expression in expressions:
            for function in expression.calls:
                self._check_function(place, function)
            for reference in expression.references:
                self._check_reference(place, reference, draft)

    def check_fit(self, place: Path, expressions: list[Expression], text: Any, draft: Draft) -> None:
        """Check that a place which is one reference to a step's output takes that output's type."""
        direct = expressions[0].direct if len(expressions) == 1 and _is_alone(text) else None
        if direct is None or direct.root != "steps" or len(direct.path) < 2:
            return
        have = self.type_of(direct)
        want = types.at(draft.type.Inputs, place[len(draft.path) + 1 :])
        if have is not None and want is not None and not types.fits(have, want):
            self.errors.value(
                place,
                "RF0224",
                f"{expressions[0].source} is a {types.name_of(have)}, but {place[-1]!r} wants a {types.name_of(want)}",
                self._others(direct, want),
            )

    def type_of(self, reference: Reference) -> Any | None:
        """Return the type of a reference to a step's output; None where it is not known or does not exist."""
        target = self.drafts.get(reference.path[0])
        if target is None:
            return None
        field = types.at(target.type.Outputs, reference.path[1:2])
        if field is None:
            return None
        if target.axes and reference.where is None:
            field = types.ListOf(field)
        return types.at(field, reference.path[2:])

    def _others(self, reference: Reference, want: Any) -> str:
        options = [
            f"steps.{name}.{field}"
            for name, draft in self.drafts.items()
            if draft is not None and not draft.axes
            for field, annotation in types.fields_of(draft.type.Outputs).items()
            if annotation is not Any and types.fits(annotation, want) and name != reference.path[0]
        ]
        return f"did you mean {options[0]}?" if options else ""

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
        known = {
            "params": self.params,
            "secrets": self.secrets,
            "run": _RUN_FIELDS,
            "matrix": draft.axes if draft else [],
        }
        if reference.root not in ROOTS:
            hint = did_you_mean(reference.root, ROOTS, "an expression starts from one of: {}")
            if reference.root in (*FUNCTIONS, "range"):
                hint = f"write {reference.root}()"
            elif reference.root in self.drafts:
                hint = f"write steps.{reference.root}"
            elif reference.root in self.params:
                hint = f"write params.{reference.root}"
            self.errors.value(place, "RF0241", f"there is no name {reference.root!r}", hint)
        elif len(place) > 2 and place[2] == "matrix" and reference.root != "params":
            self.errors.value(place, "RF0245", f"{reference.root} can't be used in a matrix", "only params can")
        elif not reference.path:
            if reference.root in ("steps", "secrets"):
                self.errors.value(place, "RF0241", f"{reference.root!r} needs a name after it")
        elif reference.root == "steps":
            self._check_step(place, reference, draft)
        elif reference.path[0] not in known[reference.root]:
            self._unknown(place, reference, known[reference.root])

    def _unknown(self, place: Path, reference: Reference, known: Any) -> None:
        code = {"params": "RF0242", "matrix": "RF0243", "secrets": "RF0244", "run": "RF0241"}[reference.root]
        if reference.root == "matrix" and not known:
            self.errors.value(place, code, "there is no matrix here", "add a matrix to the step, or use params")
            return
        what = {"params": "param", "matrix": "matrix axis", "secrets": "secret", "run": "field of run"}[reference.root]
        self.errors.value(
            place, code, f"there is no {what} {reference.path[0]!r}", did_you_mean(reference.path[0], known)
        )

    def _check_step(self, place: Path, reference: Reference, draft: Draft | None) -> None:
        name = reference.path[0]
        if name not in self.drafts:
            self.errors.value(place, "RF0220", f"there is no step {name!r}", did_you_mean(name, self.drafts))
            return
        if draft is not None:
            draft.needs.add(name)
        target = self.drafts[name]
        if target is None:
            return
        self._check_where(place, reference, target)
        if len(reference.path) == 1:
            return
        outputs = types.fields_of(target.type.Outputs)
        if reference.path[1] not in outputs:
            hint = did_you_mean(reference.path[1], outputs, "its outputs are: {}") or "it has no outputs"
            self.errors.value(
                place,
                "RF0223",
                f"step {name!r} ({target.spec.uses}) has no output {reference.path[1]!r}",
                hint,
            )
        elif self.type_of(reference) is None:
            have = (
                types.ListOf(outputs[reference.path[1]])
                if target.axes and not reference.where
                else outputs[reference.path[1]]
            )
            rest = ".".join(reference.path[2:])
            self.errors.value(
                place,
                "RF0223",
                f"steps.{name}.{reference.path[1]} is a {types.name_of(have)}; it has no {rest!r}",
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


def _is_alone(text: Any) -> bool:
    stripped = text.strip() if isinstance(text, str) else ""
    return stripped.startswith("${{") and stripped.endswith("}}") and stripped.count("${{") == 1
