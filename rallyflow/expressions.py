"""Expressions: `${{ … }}`, sandboxed Jinja2 expressions with native types; never statements.

A text that is one expression keeps the expression's type; in a longer text each expression is put in as text.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rallyflow.hints import did_you_mean

ROOTS = ("params", "secrets", "steps", "matrix", "run")
"""The names that an expression may start from."""

FUNCTIONS = ("success", "failure", "always")
"""What `if:` may call, beside any expression."""

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_MAX_LENGTH = 2000
_MAX_RANGE = 10_000
_MAX_TEXT = 100_000

_FILTERS = (
    *("abs", "capitalize", "default", "first", "float", "int", "items", "join", "last", "length", "list", "lower"),
    *("map", "max", "min", "reject", "rejectattr", "replace", "round", "select", "selectattr", "sort", "string", "sum"),
    *("title", "trim", "unique", "upper"),
)
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (
        str,
        frozenset(
            {"startswith", "endswith", "split", "rsplit", "splitlines", "partition", "rpartition", "strip", "lstrip"}
            | {"rstrip", "lower", "upper", "removeprefix", "removesuffix", "count", "find", "isdigit", "isalpha"}
        ),
    ),
    (Mapping, frozenset({"get", "keys", "values", "items"})),
    (list, frozenset({"index", "count"})),
    (tuple, frozenset({"index", "count"})),
)
"""What an expression may call on a value: nothing that can grow beyond the value itself, as `ljust` and `format` do."""


class ExpressionError(Exception):
    """An expression that can't be read or has no value; `hint` says what to do about it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox: plain data and few methods, no mutation, and nothing that makes much out of little."""

    intercepted_binops = frozenset({"**", "*", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise ExpressionError(f"{operator!r} is for numbers only")
        if operator == "**" and (abs(right) > 64 or abs(left) > 1e6):
            raise ExpressionError("the power is too large")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Prefer a mapping's keys to its methods: an output may well be called `items`."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        return self.undefined(f"{attribute!r} of a {type(obj).__name__} can't be used in an expression")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        del value
        if isinstance(obj, Cells):
            return not attr.startswith("_")
        return any(attr in names for kind, names in _METHODS if isinstance(obj, kind))


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.filters |= {"join": _join, "replace": _replace, "round": _round}
    environment.globals["range"] = _bounded_range
    return environment


def _bounded_range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise ExpressionError(f"a range of {len(numbers)} numbers; at most {_MAX_RANGE}")
    return list(numbers)


def _join(values: Iterable[Any], between: str = "") -> str:
    texts = [str(value) for value in values]
    _check_length(sum(map(len, texts)) + len(str(between)) * len(texts))
    return str(between).join(texts)


def _replace(value: Any, old: str, new: str) -> str:
    text = str(value)
    _check_length(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _round(value: float, digits: int = 0) -> float:
    return round(float(value), digits)


def _check_length(length: int) -> None:
    if length > _MAX_TEXT:
        raise ExpressionError(f"a text of {length} characters; at most {_MAX_TEXT}")


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Reference:
    """`steps.cloud.cloud.name`: a root and the attributes after it, up to the first thing that is not a name.

    `where` is the selection of cells of `steps.NAME.where(axis=value)`, as sources of expressions.
    """

    root: str
    path: tuple[str, ...]
    where: tuple[tuple[str, nodes.Expr], ...] | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression."""

    source: str
    evaluate: Callable[[Mapping[str, Any]], Any]
    references: tuple[Reference, ...]
    calls: tuple[str, ...]  # of FUNCTIONS
    direct: Reference | None  # the expression is nothing but this reference


def is_template(value: object) -> bool:
    """Whether a value is a text with an expression in it."""
    return isinstance(value, str) and "${{" in value


@lru_cache(maxsize=4096)
def parse_template(text: str) -> tuple[str | Expression, ...]:
    """Split a text into plain parts and expressions; ExpressionError when one can't be read."""
    parts: list[str | Expression] = []
    end = 0
    for match in _EXPRESSION.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        parts.append(parse(match[1].strip()))
        end = match.end()
    if "${{" in text[end:]:
        raise ExpressionError("'${{' without '}}' after it")
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts)


def parse(source: str) -> Expression:
    """Read one expression; ExpressionError when it is empty, too long or not one."""
    if not source:
        raise ExpressionError("an empty expression", "write a name such as params.users between the braces")
    if len(source) > _MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(source)} characters; at most {_MAX_LENGTH}")
    with _failing_as(f"can't read the expression {source!r}"):
        body = _only_expression(_ENVIRONMENT.parse("{{ " + source + " }}"))
        _check_filters(body)
        compiled = _ENVIRONMENT.compile_expression(source, undefined_to_none=False)
        return Expression(
            source,
            lambda values: _evaluate(source, compiled, values),
            tuple(_references(body)),
            _calls(body),
            _as_reference(body),
        )


@contextlib.contextmanager
def _failing_as(what: str) -> Iterator[None]:
    """Turn whatever goes wrong into an ExpressionError: an expression is a user's program, and can raise anything."""
    try:
        yield
    except ExpressionError:
        raise
    except TemplateSyntaxError as error:
        raise ExpressionError(f"{what}: {error.message}") from error
    except (RecursionError, MemoryError, SyntaxError) as error:  # of the Python that Jinja2 makes from it
        raise ExpressionError("the expression is nested too deep") from error
    except Exception as error:
        raise ExpressionError(f"{what}: {error}") from error


def evaluate_template(text: str, values: Mapping[str, Any]) -> Any:
    """Return a text's value; ExpressionError when an expression in it has none."""
    parts = parse_template(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].evaluate(values)
    return "".join(part if isinstance(part, str) else _as_text(part.evaluate(values)) for part in parts)


def expressions_of(text: str) -> list[Expression]:
    """Return the expressions in a text."""
    return [part for part in parse_template(text) if isinstance(part, Expression)]


def evaluate_node(node: nodes.Expr, values: Mapping[str, Any]) -> Any:
    """Return the value of a part of an expression; ExpressionError when it has none."""
    template = nodes.Template([nodes.Assign(nodes.Name("result", "store"), node)])
    template.set_environment(_ENVIRONMENT)
    template.set_lineno(1)
    with _failing_as("it has no value"):
        module: Any = _ENVIRONMENT.from_string(template).make_module(dict(values))
        return _plain(module.result)


def _evaluate(source: str, compiled: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    with _failing_as(f"{source!r} has no value"):
        return _plain(compiled(**values))


def _plain(value: Any) -> Any:
    """Return a value of an expression as plain data; ExpressionError for what is none."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Undefined):
        raise ExpressionError(value._undefined_message)  # noqa: SLF001 - jinja2 has no public name for it
    if isinstance(value, Mapping):
        if len({type(key) for key in value}) > 1 or not all(isinstance(key, str | int | float) for key in value):
            raise ExpressionError("the keys of a mapping must all be texts, or all be numbers")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) or hasattr(value, "__next__"):
        return [_plain(item) for item in value]
    if isinstance(value, Cells):
        raise ExpressionError("a step with a matrix is not a value", "name one of its outputs after it")
    if callable(value):
        raise ExpressionError("a function is not a value", "call it: add () after its name")
    raise ExpressionError(f"a {type(value).__name__} is not plain data")


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _only_expression(template: nodes.Template) -> nodes.Expr:
    output = template.body[0] if len(template.body) == 1 else None
    if (
        not isinstance(output, nodes.Output)
        or len(output.nodes) != 1
        or isinstance(output.nodes[0], nodes.TemplateData)
    ):
        raise ExpressionError("not one expression")
    return output.nodes[0]


def _check_filters(body: nodes.Expr) -> None:
    for node in (*body.find_all(nodes.Filter), *([body] if isinstance(body, nodes.Filter) else [])):
        if node.name not in _ENVIRONMENT.filters:
            raise ExpressionError(f"there is no filter {node.name!r}", did_you_mean(node.name, _ENVIRONMENT.filters))


def _calls(body: nodes.Expr) -> tuple[str, ...]:
    calls = [*body.find_all(nodes.Call), *([body] if isinstance(body, nodes.Call) else [])]
    return tuple(call.node.name for call in calls if isinstance(call.node, nodes.Name))


def _references(node: nodes.Node) -> list[Reference]:
    reference = _as_reference(node)
    if reference is not None:
        inner = [found for _, value in reference.where or () for found in _references(value)]
        return [reference, *inner]
    called = node.node if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) else None
    return [found for child in node.iter_child_nodes() if child is not called for found in _references(child)]


def _as_reference(node: nodes.Node) -> Reference | None:
    if isinstance(node, nodes.Name):
        return Reference(node.name, ())
    if isinstance(node, nodes.Getattr):
        return _extended(_as_reference(node.node), node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return _extended(_as_reference(node.node), str(node.arg.value))
    return _as_selection(node) if isinstance(node, nodes.Call) else None


def _as_selection(call: nodes.Call) -> Reference | None:
    """Return the reference that `steps.NAME.where(axis=value)` is."""
    if not isinstance(call.node, nodes.Getattr) or call.node.attr != "where" or call.args:
        return None
    base = _as_reference(call.node.node)
    if base is None or base.root != "steps" or len(base.path) != 1:
        return None
    return Reference(base.root, base.path, tuple((pair.key, pair.value) for pair in call.kwargs))


def _extended(base: Reference | None, name: str) -> Reference | None:
    return Reference(base.root, (*base.path, name), base.where) if base is not None else None


class Cells:
    """The outputs of a matrix step in an expression: a field gives the list over its cells, `where` selects one cell.

    Cells that ended without outputs are left out of lists.
    """

    def __init__(self, cells: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Take (matrix values, outputs) of every cell, in order."""
        self._cells = cells

    def __getattr__(self, name: str) -> list[Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return [outputs[name] for _, outputs in self._cells if name in outputs]

    def where(self, **axes: Any) -> Mapping[str, Any]:
        """Return the outputs of the one cell with these matrix values; ValueError for none or several."""
        found = select_cells(axes, [matrix for matrix, _ in self._cells])
        if len(found) != 1:
            raise ValueError(f"where({_call_text(axes)}) matches {len(found)} cells; it must match exactly one")
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
