"""Says in plain words what pydantic found wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from rallyflow.compile.forms import LIST, MAPPING, NUMBER, TEXT, WHOLE, one_of, other_form, shown, stuck_comment
from rallyflow.hints import did_you_mean

_KINDS = {
    **dict.fromkeys(("model_type", "dict_type", "mapping_type", "model_attributes_type", "dataclass_type"), MAPPING),
    **dict.fromkeys(("list_type", "tuple_type", "iterable_type", "set_type", "frozen_set_type"), LIST),
    **dict.fromkeys(("string_type", "string_sub_type", "bytes_type", "string_unicode"), TEXT),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "decimal_parsing"), NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("path_type",), "a path"),
    **dict.fromkeys(("none_required",), "nothing"),
}
"""Errors that say nothing but: a value of this kind is wanted."""

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_long": "must have at most {max_length} characters",
    "finite_number": "must be a finite number",
    "multiple_of": "must be a multiple of {multiple_of}",
}

_PATTERNS = {
    r"^[A-Za-z_][A-Za-z0-9_-]*$": ("a name", "letters, digits, '_' and '-', first a letter or '_'"),
    r"^[A-Za-z_][A-Za-z0-9_]*$": ("a name of a variable", "letters, digits and '_', first a letter or '_'"),
    r"^.+/[^/]+$": ("two names with a slash between them", "such as mail/alice"),
    r"^(https?://.*|\$\{\{.*\}\}.*)$": ("a web address", "such as http://10.0.0.5:8080/health"),
}
"""What the patterns of models stand for, and a hint."""


def wants_a_kind(details: ErrorDetails) -> bool:
    """Whether an error says only that a value of another kind is wanted."""
    return details["type"] in _KINDS


def in_words(details: Sequence[ErrorDetails], keys: Sequence[str] = ()) -> tuple[str, str]:
    """Return what is wrong and a hint, for the errors that a value has; several are the alternatives that it missed.

    `keys` are those of the mapping that the value should be.
    """
    first = details[0]
    value = first["input"]
    if all(map(wants_a_kind, details)):
        kinds = dict.fromkeys(_KINDS[each["type"]] for each in details)
        return f"takes {' or '.join(kinds)}, not {shown(value)}", other_form(value, [*kinds], keys)
    known = _known_error(first["type"], value, first.get("ctx", {}))
    return known if known is not None else _as_it_says(first, value)


def _known_error(kind: str, value: Any, context: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what an error means that says by its own details what is wrong."""
    match kind:
        case "literal_error" | "enum" if context:
            return _not_among(value, str(context["expected"]))
        case "string_pattern_mismatch" if context:
            name, hint = _PATTERNS.get(context["pattern"], (f"a text that matches {context['pattern']}", ""))
            return f"{shown(value)} is not {name}", hint
        case "too_short" | "too_long" | "string_too_short" if context:
            return _of_a_length(kind, value, context), ""
        case _ if kind in _BOUNDS and context:
            bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
            return f"{shown(value)}: {_BOUNDS[kind].format(**bounds)}", ""
    return None


def _as_it_says(details: ErrorDetails, value: Any) -> tuple[str, str]:
    """Return the words of an error, which are ours for nearly all of them."""
    context: Mapping[str, Any] = details.get("ctx", {})
    message = str(context.get("what", details["msg"])).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.replace("Input should be a valid", "must be a").replace("Input should", "must")
    hint = str(context.get("hint", "")) or stuck_comment(value) or one_of(value)
    return f"{message[:1].lower()}{message[1:]}", hint


def dotted(path: Sequence[str | int]) -> str:
    """Return a place as people write it: `retry.on[0]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def _not_among(value: Any, expected: str) -> tuple[str, str]:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    if len(words) == 1:
        return f"must be {words[0]}, not {shown(value)}", ""
    hint = did_you_mean(value, words, "") if isinstance(value, str) else ""
    return f"{shown(value)} is not one of {', '.join(words)}", hint or one_of(value)


def _of_a_length(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    if kind == "too_long":
        return f"takes at most {context['max_length']} of them, not {context['actual_length']}"
    if not value:
        return "must not be empty"
    if kind == "string_too_short":
        return f"{shown(value)}: must have at least {context['min_length']} characters"
    return f"needs at least {context['min_length']} of them, not {context['actual_length']}"
