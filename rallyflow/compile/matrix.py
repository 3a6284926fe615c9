"""Expands the matrix of a step into cells."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Mapping
from typing import Any

from rallyflow.compile.diagnostics import Diagnostics, Path
from rallyflow.expressions import is_template
from rallyflow.hints import closest, did_you_mean

_AXIS = re.compile(r"[^\W\d][\w-]*")
_RESERVED = ("include", "exclude", "order", "seed", "max_parallel")
_ORDERS = ("declared", "interleaved", "random")
_MAX_CELLS = 200_000


def axes_of(matrix: Mapping[str, Any]) -> list[str]:
    """Return every axis name that a matrix gives to its cells, also those that only `include` adds."""
    extra = [name for row in rows_of(matrix.get("include")) for name in row]
    return list(dict.fromkeys([*(name for name in matrix if name not in _RESERVED), *extra]))


def expand(matrix: Mapping[str, Any], path: Path, errors: Diagnostics) -> list[dict[str, Any]]:
    """Return the cells of a matrix in the order in which they are to run; errors are noted.

    The last axis changes fastest; `interleaved` makes the first one change fastest, so that the values of the
    first axis alternate in time; `random` shuffles with `seed`, which the caller has chosen where the file gives none.
    """
    axes = {name: values for name, values in matrix.items() if name not in _RESERVED}
    before = errors.noted
    for name, values in axes.items():
        if is_template(values):
            return []  # it could not be evaluated, and that has been said
        _check_axis(name, values, path, errors)
    order = matrix.get("order", "declared")
    if order not in _ORDERS:
        errors.value((*path, "order"), "RF0230", f"there is no order {order!r}", did_you_mean(str(order), _ORDERS))
    if not isinstance(matrix.get("seed", 0), int | str):
        errors.value((*path, "seed"), "RF0230", "a seed is a whole number or a text")
    most = matrix.get("max_parallel", 1)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        errors.value((*path, "max_parallel"), "RF0230", "max_parallel is a whole number from 1 on")
    for key in ("include", "exclude"):
        if not isinstance(matrix.get(key, []), list) or len(rows_of(matrix.get(key))) != len(matrix.get(key, [])):
            hint = f"write `{key}: [{{AXIS: VALUE}}]`"
            errors.value((*path, key), "RF0230", f"{key} takes a list of mappings from axis to value", hint)
    _check_excluded(matrix, path, errors)
    if errors.noted > before:
        return []
    return _cells(axes, matrix, order, path, errors)


def _check_axis(name: str, values: Any, path: Path, errors: Diagnostics) -> None:
    place = (*path, name)
    if not isinstance(values, list) or not values:
        hint = f"write [{values}]" if isinstance(values, str | int | float) else ""
        errors.value(place, "RF0230", f"the axis {name!r} needs a list with at least one value", hint)
    elif len({repr(value) for value in values}) != len(values):
        errors.value(place, "RF0230", f"the axis {name!r} has the same value twice")
    elif all(isinstance(value, dict) for value in values) and closest(name, ("include", "exclude")):
        hint = f"did you mean {closest(name, ('include', 'exclude'))[0]!r}?"
        errors.key(place, "RF0230", f"{name!r} would be one more axis", hint)
    if not _AXIS.fullmatch(name):
        hint = "use letters, digits, '_' and '-', first a letter or '_'"
        errors.key(place, "RF0230", f"{name!r} is not a name for an axis", hint)


def _check_excluded(matrix: Mapping[str, Any], path: Path, errors: Diagnostics) -> None:
    axes = [name for name in matrix if name not in _RESERVED]
    for index, row in enumerate(rows_of(matrix.get("exclude"))):
        for name in row:
            if name not in axes:
                what = f"there is no axis {name!r} to exclude cells by"
                errors.key((*path, "exclude", index, name), "RF0243", what, did_you_mean(name, axes))


def _cells(
    axes: Mapping[str, list[Any]], matrix: Mapping[str, Any], order: str, path: Path, errors: Diagnostics
) -> list[dict[str, Any]]:
    total = 1
    for values in axes.values():
        total *= len(values)
    if total > _MAX_CELLS:
        errors.key(path, "RF0231", f"the matrix has {total} cells; at most {_MAX_CELLS}")
        return []
    names = list(axes)
    if order == "interleaved":
        products = itertools.product(*(axes[name] for name in reversed(names)))
        cells = [dict(zip(names, reversed(values), strict=True)) for values in products] if names else []
    else:
        cells = [dict(zip(names, values, strict=True)) for values in itertools.product(*axes.values())] if names else []
    excluded = rows_of(matrix.get("exclude"))
    cells = [cell for cell in cells if not any(row.items() <= cell.items() for row in excluded)] if excluded else cells
    cells.extend(dict(row) for row in rows_of(matrix.get("include")))
    if order == "random":
        random.Random(matrix.get("seed", 0)).shuffle(cells)  # noqa: S311 - an experiment's order, not a secret
    if not cells:
        errors.key(path, "RF0230", "the matrix has no cells")
    return cells


def cell_id(name: str, cell: Mapping[str, Any]) -> str:
    """Return the id of a cell: `boot[users=5,fast_rpc=true]`."""
    return f"{name}[{','.join(f'{axis}={_text(value)}' for axis, value in cell.items())}]"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Return the rows of `include` or `exclude`, as far as they are rows."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
