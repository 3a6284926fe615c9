"""Says in plain words why a text is not YAML, at the place where a person has to mend it.

YAML readers name the place where they gave up, and what their grammar would have taken there. That place is often far
below the cause, such as a quote that was never closed; so the usual causes are looked for, the likely ones first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from rallyflow.compile import lookalikes, structure
from rallyflow.compile.diagnostics import Mark
from rallyflow.compile.trouble import Finding, Trouble, quoted

_CONFLICT = re.compile(r"(<{7}|={7}|>{7})( .*)?")
_PERCENTAGE = re.compile(r"%\s*(\d+(\.\d+)?)\b")


def explain(error: yaml.YAMLError, lines: list[str]) -> Finding:
    """Return the place and the cause of an error of a YAML reader, with a hint."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _unprintable(lines)
    trouble = Trouble(lines, _mark(error.problem_mark), _mark(error.context_mark), *_words(error))
    for find in _USUAL:
        found = find(trouble)
        if found is not None:
            return found
    hint = "check the indentation, the quotes and the brackets around this place"
    return Finding(trouble.mark, "this can't be read as YAML", hint)


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark()


def _words(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    return error.problem or "", error.context or ""


def _unprintable(lines: list[str]) -> Finding:
    """Find the character that no YAML reader takes."""
    for number, line in enumerate(lines, start=1):
        bad = yaml.reader.Reader.NON_PRINTABLE.search(line)
        if bad is not None:
            code = f"U+{ord(bad[0]):04X}"
            hint = "remove it; in double quotes it can be written as " + f'"\\x{ord(bad[0]):02x}"'
            return Finding(Mark(number, bad.start() + 1), f"the control character {code} can't be in a file", hint)
    return Finding(Mark(), "a control character can't be in a file", "is this a text file?")


def _unfinished_merge(trouble: Trouble) -> Finding | None:
    for number, line in enumerate(trouble.lines[: trouble.mark.line], start=1):
        if _CONFLICT.fullmatch(line):
            return Finding(Mark(number, 1), f"{line[:7]!r} is left of a merge", "choose one side of the merge conflict")
    return None


def _tab(trouble: Trouble) -> Finding | None:
    for number in (trouble.mark.line, trouble.context.line):
        line = trouble.text_of(number)
        before = line[: len(line) - len(line.lstrip(" \t-"))]
        if "\t" in before:
            what = "a tab after a dash" if "-" in before.partition("\t")[0] else "a line is indented with a tab"
            return Finding(Mark(number, before.index("\t") + 1), what, "use spaces: YAML does not allow tabs here")
    return None


def _second_document(trouble: Trouble) -> Finding | None:
    if "<document start>" not in trouble.problem and "directive" not in trouble.context_text:
        return None
    if trouble.text_of(trouble.context.line).startswith("%"):
        return Finding(trouble.context, "a line can't start with '%'", "quote the text, or start a comment with '#'")
    return Finding(trouble.mark, "something stands behind the end of the document", "remove the line `...` before it")


def _start_of_a_text(trouble: Trouble) -> Finding | None:
    """Find a character that has a meaning of its own at the start of a text."""
    if "cannot start any token" in trouble.problem or "node content" in trouble.problem:
        rest = trouble.rest
        if not rest or rest[0] not in "%@`,":
            return None
        percentage = _PERCENTAGE.match(rest)
        hint = f"quote it: {quoted(trouble.word(trouble.mark) or rest)}"
        hint = f"a percentage is {percentage[1]}%" if percentage else hint
        return Finding(trouble.mark, f"a text can't start with {rest[0]!r}", hint)
    return None


def _star(trouble: Trouble) -> Finding | None:
    """Find `*` and `&` that belong to a text, and tags that were never declared."""
    place = trouble.context
    rest = trouble.word(place)
    if "scanning an alias" in trouble.context_text:
        return Finding(place, "'*' starts an alias", f"if the text starts with it, quote it: {quoted(rest)}")
    if "scanning an anchor" in trouble.context_text:
        return Finding(place, "'&' starts an anchor", f"if the text starts with it, quote it: {quoted(rest)}")
    if "tag" in trouble.problem or "scanning a tag" in trouble.context_text:
        hint = f"if the text starts with it, quote it: {quoted(rest)}; in a condition write `not`"
        return Finding(place, "'!' starts a tag", hint)
    return None


def _escape(trouble: Trouble) -> Finding | None:
    if "escape" not in trouble.problem and "hexdecimal" not in trouble.problem:
        return None
    line = trouble.text_of(trouble.mark.line)
    start = line.rfind("\\", 0, trouble.mark.column + 1)
    if start < 0:
        return None
    hint = "a backslash stands for itself in single quotes: '\\d+'"
    return Finding(
        Mark(trouble.mark.line, start + 1), f"{line[start : start + 2]} means nothing in double quotes", hint
    )


def _block_text(trouble: Trouble) -> Finding | None:
    if "scanning a block scalar" not in trouble.context_text:
        return None
    sign = trouble.text_of(trouble.context.line)[trouble.context.column - 1 :]
    hint = f"put the text into the lines below, indented; or quote it: {quoted(sign)}"
    return Finding(trouble.context, f"{sign[:1]!r} starts a text of several lines", hint)


_USUAL: tuple[Callable[[Trouble], Finding | None], ...] = (
    *(_unfinished_merge, lookalikes.find_in, _tab, _second_document, _start_of_a_text, _star, _escape, _block_text),
    *(structure.open_quote, structure.after_a_quote, structure.expression_in_brackets, structure.brackets),
    *(structure.list_beside_its_key, structure.two_colons, structure.no_colon, structure.wrong_place),
)
