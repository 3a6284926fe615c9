"""What to write instead of an expression whose type is not the one that its place takes."""

from __future__ import annotations

from typing import Any

from rallyflow.compile import types
from rallyflow.expressions import Expression, render

_MOST = 5


def suggestion(expressions: list[Expression], have: Any, want: Any, *, alone: bool) -> str:
    """Return a hint that makes a value of one type into one of another; empty when there is no obvious way."""
    if len(expressions) != 1:
        return ""
    source = render(expressions[0].body)
    if not alone:
        scalar = types.is_scalar(types.bare(want))
        return "" if scalar else f"write the expression alone, with nothing around it: ${{{{ {source} }}}}"
    item = types.item_type(have)
    if item is not None and types.fits(item, want):
        return _of_a_list(source, expressions[0], types.is_scalar(types.bare(item)))
    wanted = types.item_type(types.bare(want))
    if wanted is not None and types.fits(have, wanted):
        return f"a list of one: ${{{{ [{source}] }}}}"
    if item is not None:
        return _of_each(source, item, want)
    return _of_a_model(source, have, want)


def _of_a_list(source: str, expression: Expression, scalar: bool) -> str:
    """Return how to take one item; of a step with several cells, one cell."""
    direct = expression.direct
    if direct is not None and direct.root == "steps" and len(direct.path) == 2 and direct.where is None:
        step, output = direct.path
        return f"of one cell: steps.{step}.where(AXIS=VALUE).{output}, or steps.{step}.{output}[0]"
    return f"of one of them: {source}[0]" + f"; all as a text: {source} | join(', ')" * scalar


def _of_each(source: str, item: Any, want: Any) -> str:
    model = types.bare(item)
    fields = types.fields_of(model) if types.is_model(model) else {}
    some = [name for name, annotation in fields.items() if _same(annotation, want)]
    if not some or not types.is_scalar(types.bare(want)):
        return ""
    return f"of one of them: {source}[0].{some[0]}; of all: {source} | map(attribute='{some[0]}') | join(', ')"


def _of_a_model(source: str, have: Any, want: Any) -> str:
    model = types.bare(have)
    if not types.is_model(model):
        return ""
    fields = [name for name, annotation in types.fields_of(model).items() if _likely(annotation, want)]
    same = [name for name, annotation in types.fields_of(model).items() if _same(annotation, want)]
    some = (same or fields)[:_MOST]
    return f"one of its fields? {', '.join(f'{source}.{name}' for name in some)}" if some else ""


def _likely(annotation: Any, want: Any) -> bool:
    """Whether a field is worth naming: a mapping of any names may have those of a model, but hardly will."""
    by_chance = types.is_mapping(types.bare(annotation)) and types.is_model(types.bare(want))
    return types.fits(annotation, want) and not by_chance


def _same(annotation: Any, want: Any) -> bool:
    return types.name_of(annotation) == types.name_of(want)
