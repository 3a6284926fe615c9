"""Infers the type of an expression from the types of the names in it, and finds what can never have a value."""

from rallyflow.compile.inference.names import CellsOf, Record, TypeProblem
from rallyflow.compile.inference.shapes import article
from rallyflow.compile.inference.walker import infer

__all__ = ["CellsOf", "Record", "TypeProblem", "article", "infer"]
