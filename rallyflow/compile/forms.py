"""How a value of one kind is written, for a person who has written one of another kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAPPING, LIST, TEXT, WHOLE, NUMBER = "a mapping", "a list", "a text", "a whole number", "a number"

_GROUPED = re.compile(r"[-+]?\d{1,3}(?:[_,' ]\d{3})+")
_WITH_UNIT = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*(%|[A-Za-z/]+)")


def other_form(value: Any, kinds: Sequence[str], keys: Sequence[str]) -> str:
    """Return how a value is written so that it is of one of the kinds; empty where that would be a guess.

    `keys` are those of the mapping that it should be.
    """
    match value:
        case None:
            return "nothing stands there: write a value, or remove the key"
        case str():
            return _for_a_text(value, kinds) or _as_mapping(kinds, keys)
        case bool() | int() | float():
            return _for_a_scalar(value, kinds) or _as_mapping(kinds, keys)
        case list():
            return _for_a_list(value, kinds, keys)
    return "write a dash before each item, or put it in [ ]" if kinds == [LIST] else ""


def shown(value: Any) -> str:
    """Return a value as a person writes it, on one short line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case Mapping():
            return MAPPING
        case list() | tuple():
            return LIST
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def one_of(value: Any) -> str:
    """Return a hint about a list of one value; empty for anything else."""
    one = isinstance(value, list) and len(value) == 1
    return "it is one value: write it without brackets or dash" if one else ""


def stuck_comment(value: Any) -> str:
    """Return a hint about a comment that YAML takes as part of a text; empty when there is none."""
    return "put a space before '#', where a comment starts" if isinstance(value, str) and "#" in value[1:] else ""


def _as_mapping(kinds: Sequence[str], keys: Sequence[str], aside: str = "") -> str:
    if MAPPING not in kinds:
        return ""
    form = "`key: value`" if keys else "`name: value`"
    some = ", ".join(keys[:12]) + ", ..." * (len(keys) > 12)
    return f"write {form}{aside}" + (f"; the keys are: {some}" if keys else "")


def _for_a_scalar(value: float, kinds: Sequence[str]) -> str:
    if LIST in kinds:
        return f"write [{shown(value)}]"
    return f'quote it: "{shown(value)}"' if kinds == [TEXT] else ""


def _for_a_list(value: list[Any], kinds: Sequence[str], keys: Sequence[str]) -> str:
    if MAPPING in kinds:
        return _as_mapping(kinds, keys, ", without dashes and [ ]")
    return one_of(value)


def _for_a_text(value: str, kinds: Sequence[str]) -> str:
    if LIST in kinds:
        dash = value.startswith("-") or " - " in value
        return "a dash, or a space behind one, is missing: `- item`" if dash else f"write [{_cut(value)}]"
    if MAPPING in kinds:
        key, colon, rest = value.partition(":")
        stuck = colon and key.isidentifier() and not rest.startswith((" ", "//"))
        return f"is a space missing? `{key}: {_cut(rest)}`" if stuck else ""
    return _for_a_number(value) if WHOLE in kinds or NUMBER in kinds else ""


def _for_a_number(value: str) -> str:
    unit = _WITH_UNIT.fullmatch(value)
    if _GROUPED.fullmatch(value):
        return f"write {re.sub('[^-+0-9]', '', value)}"
    return f"write it without a unit: {unit[1]}" if unit else stuck_comment(value)


def _cut(text: str) -> str:
    return text.strip() if len(text) <= 40 else f"{text[:37].strip()}..."
