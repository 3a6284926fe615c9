"""The outputs of a step with several cells, as expressions see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rallyflow.expressions.failures import NoValue


class Cells:
    """The outputs of a matrix step in an expression: a field gives the list over its cells, `where` selects one cell.

    Cells that ended without outputs are left out of lists.
    """

    __slots__ = ("_cells",)

    def __init__(self, cells: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Take (matrix values, outputs) of every cell, in order."""
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def field(self, name: str) -> list[Any]:
        """Return one output of every cell that has it."""
        return [outputs[name] for _, outputs in self._cells if name in outputs]

    def may_have(self, name: str) -> bool:
        """Whether a cell has this output, or no cell has any."""
        return any(name in outputs for _, outputs in self._cells) or not any(outputs for _, outputs in self._cells)

    def where(self, **axes: Any) -> Mapping[str, Any]:
        """Return the outputs of the one cell with these matrix values; NoValue for none or several."""
        found = select_cells(axes, [matrix for matrix, _ in self._cells])
        if len(found) != 1:
            raise NoValue(f"where({_call_text(axes)}) matches {len(found)} cells; it must match exactly one")
        return self._cells[found[0]][1]


def select_cells(axes: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the indices of the cells whose matrix values include all of `axes`."""
    return [
        index
        for index, matrix in enumerate(cells)
        if all(name in matrix and matrix[name] == value for name, value in axes.items())
    ]


def _call_text(axes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in axes.items())
