"""Finds characters that look like those of YAML and are others: non-breaking spaces, typographic quotes."""

from __future__ import annotations

import re

from rallyflow.compile.diagnostics import Mark
from rallyflow.compile.trouble import Finding, Trouble

_SPACES = "\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff"
_ODD_SPACE = re.compile(rf"[ \t]*(?:- +)*(?:[\w.-]*:|-)? *[{_SPACES}]")
_OPENING, _CLOSING = "\u00ab\u2018\u201a\u201b\u201c\u201e\u2039", "\u00bb\u2018\u2019\u201b\u201c\u201d\u201f\u203a"
_QUOTED = re.compile(rf"[{_OPENING}][^{_OPENING}{_CLOSING}]*[{_CLOSING}]")


def odd_space(text: str) -> int | None:
    """Return where a space that YAML takes for a letter stands: at the start, or after a colon or dash."""
    found = _ODD_SPACE.match(text)
    return found.end() - 1 if found else None


def is_quoted(text: str) -> bool:
    """Whether a text is in quotes that YAML takes for letters."""
    return _QUOTED.fullmatch(text) is not None


SPACE = (
    "a space that YAML takes for a letter",
    "replace it by an ordinary space: it was copied from a web page or text",
)
"""What is said about an odd space, and the hint."""


def quotes(text: str) -> tuple[str, str]:
    """Return what is said about a text in such quotes, and the hint."""
    return "typographic quotes are part of the text", f'write straight ones: "{text[1:-1]}"'


def find_in(trouble: Trouble) -> Finding | None:
    """Return what is said when one of them is why a text is not YAML."""
    for number in sorted({trouble.mark.line - 1, trouble.mark.line, trouble.context.line} - {0, -1}):
        line = trouble.text_of(number)
        place = odd_space(line)
        if place is not None:
            return Finding(Mark(number, place + 1), *SPACE)
        found = _QUOTED.search(line)
        if found is not None and number == trouble.mark.line and found.start() < trouble.mark.column:
            return Finding(Mark(number, found.start() + 1), *quotes(found[0]))
    return None
