"""Says in plain words what pydantic found wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from rallyflow.hints import did_you_mean

_KINDS = {
    **dict.fromkeys(("model_type", "dict_type", "mapping_type", "model_attributes_type"), "a mapping"),
    **dict.fromkeys(("list_type", "tuple_type", "iterable_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
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
    "too_short": "needs at least {min_length} of them",
    "too_long": "takes at most {max_length} of them",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "finite_number": "must be a finite number",
    "multiple_of": "must be a multiple of {multiple_of}",
}


def wants_a_kind(details: ErrorDetails) -> bool:
    """Whether an error says only that a value of another kind is wanted."""
    return details["type"] in _KINDS


def in_words(details: Sequence[ErrorDetails]) -> tuple[str, str]:
    """Return what is wrong and a hint, for the errors that a value has; several are the alternatives that it missed."""
    first = details[0]
    if all(map(wants_a_kind, details)):
        kinds = dict.fromkeys(_KINDS[each["type"]] for each in details)
        return f"takes {' or '.join(kinds)}, not {_shown(first['input'])}", ""
    context: Mapping[str, Any] = first.get("ctx", {})
    match first["type"]:
        case "literal_error" | "enum":
            words = [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
            hint = did_you_mean(str(first["input"]), words, "one of: {}")
            return f"{_shown(first['input'])} is not one of {', '.join(words)}", "" if hint.startswith(
                "one of"
            ) else hint
        case "string_pattern_mismatch":
            return f"{_shown(first['input'])} does not match {context['pattern']}", ""
        case kind if kind in _BOUNDS and context:
            bounds = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
            return f"{_shown(first['input'])}: {_BOUNDS[kind].format(**bounds)}", ""
    message = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{message[:1].lower()}{message[1:]}", str(context.get("hint", ""))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
