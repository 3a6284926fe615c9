"""What names in an expression can stand for beside plain types, and what is said about one that is used wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


class TypeProblem(Exception):  # noqa: N818 - named after what happened, as the project's errors are
    """An expression can't have a value, whatever the values of its names are; attributes are as in a diagnostic."""

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Record:
    """A name space such as params: the type of each of its names. An unknown one is a problem with this code."""

    fields: Mapping[str, Any]
    what: str  # what one of the names is, such as `param`
    code: str = "RF0241"


@dataclass(frozen=True, slots=True)
class CellsOf:
    """A step with several cells: a field of it is the list over its cells."""

    outputs: type[BaseModel]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A method or function that is named, but not called."""

    name: str
