"""Expressions: `${{ … }}`, Jinja2's expressions with native types; never statements.

A text that is one expression keeps the expression's type; in a longer text each expression is put in as text.
Jinja2 parses them; they are evaluated by a small walker of our own, within a budget of time and memory.
"""

from rallyflow.expressions.budget import Budget
from rallyflow.expressions.cells import Cells, select_cells
from rallyflow.expressions.failures import ExpressionError
from rallyflow.expressions.references import FUNCTIONS, ROOTS, Reference
from rallyflow.expressions.source import render
from rallyflow.expressions.templates import (
    Expression,
    evaluate_node,
    evaluate_template,
    expressions_of,
    is_template,
    parse,
    parse_template,
)

__all__ = [
    "FUNCTIONS",
    "ROOTS",
    "Budget",
    "Cells",
    "Expression",
    "ExpressionError",
    "Reference",
    "evaluate_node",
    "evaluate_template",
    "expressions_of",
    "is_template",
    "parse",
    "parse_template",
    "render",
    "select_cells",
]
