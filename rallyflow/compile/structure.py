"""Finds what is wrong with the structure of a text that is not YAML: quotes, brackets, colons, dashes, indentation."""

from __future__ import annotations

import re

from rallyflow.compile.diagnostics import Mark
from rallyflow.compile.trouble import Finding, Trouble, quoted

_KEY = re.compile(r"(\s*(?:- +)*)([^\s#:'\"\[{][^:]*?|'[^']*'|\"[^\"]*\"):(?:\s+(.*))?")
_STUCK_COLON = re.compile(r"(\s*(?:- +)*[\w.-]+):(?=[^\s:/])(.*)")
_ITEM = re.compile(r"\s*-(\s|$)")
_CLOSING = {"{": "}", "[": "]"}
_LONGEST_KEY = 1000


def open_quote(trouble: Trouble) -> Finding | None:
    """Find a quote that is never closed."""
    if not re.search("end of stream|document indicator", trouble.problem) or "quoted" not in trouble.context_text:
        return None
    sign = trouble.text_of(trouble.context.line)[trouble.context.column - 1 :][:1]
    hint = "close it; " + (
        "inside single quotes an apostrophe is written twice: ''" if sign == "'" else 'or is it \\" inside the text?'
    )
    return Finding(trouble.context, f"this {sign} is never closed", hint)


def after_a_quote(trouble: Trouble) -> Finding | None:
    """Find a text that goes on behind its closing quote, or one that swallowed the lines up to the next quote."""
    last, brackets = trouble.scanned
    if last is None or not last.quote or "expected" not in trouble.problem:
        return None
    stuck = last.end == trouble.mark
    if last.end.line > last.start.line and (stuck or not brackets):
        hint = "close it in its own line"
        return Finding(last.start, f"this {last.quote} is closed only in line {last.end.line}", hint)
    if last.end.line != trouble.mark.line or (brackets and not stuck) or trouble.rest[:1] in ",]}:":
        return None
    if "${{" in last.text and last.quote == '"':
        hint = "inside double quotes use single ones: \"${{ params.hosts['a'] }}\""
    else:
        other = "around double quotes use single ones" if last.quote == '"' else "an apostrophe is written twice: ''"
        hint = f"put all of it inside the quotes; {other}"
    return Finding(trouble.mark, "the text goes on behind its closing quote", hint)


def expression_in_brackets(trouble: Trouble) -> Finding | None:
    """Find an expression without quotes inside of brackets."""
    line = trouble.text_of(trouble.mark.line)
    start = line.rfind("${{", 0, trouble.mark.column + 2)
    _, brackets = trouble.scanned
    if start < 0 or not brackets or "flow" not in trouble.context_text:
        return None
    end = line.find("}}", start)
    if 0 <= end < trouble.mark.column - 1:
        return None
    shown = quoted(line[start : end + 2] + "_")[:-2] + '"' if end > 0 else '"${{ … }}"'
    return Finding(
        Mark(trouble.mark.line, start + 1), "an expression without quotes inside of brackets", f"write {shown}"
    )


def brackets(trouble: Trouble) -> Finding | None:
    """Find brackets that are not closed, or closed by another one, and missing commas between them."""
    _, opened = trouble.scanned
    sign = trouble.rest[:1]
    if opened:
        return _in_brackets(trouble, sign, *opened[-1])
    if sign and sign in "]}" and "expected" in trouble.problem:
        return Finding(trouble.mark, f"this {sign!r} closes nothing", "remove it, or quote a text that has brackets")
    return None


def _in_brackets(trouble: Trouble, sign: str, opening: str, place: Mark) -> Finding:
    closing = _CLOSING[opening]
    if sign and sign in "]}" and sign != closing:
        return Finding(trouble.mark, f"{sign!r} can't close the {opening!r} of line {place.line}", f"write {closing!r}")
    outside = place.column > 1 and place.line < trouble.mark.line
    if trouble.at_the_end or (outside and trouble.indent(trouble.mark.line) <= trouble.indent(place.line)):
        return Finding(place, f"this {opening!r} is never closed", f"add {closing!r} behind its last value")
    if "node content" in trouble.problem or sign in (",", closing):
        return Finding(trouble.mark, f"a value is missing before this {sign!r}", "remove one comma, or add the value")
    above = trouble.above(trouble.mark.line)
    if trouble.text_of(above).lstrip().startswith("//"):
        return Finding(Mark(above, trouble.indent(above) + 1), "'//' starts no comment", "start it with '#'")
    hint = "put one between the values, or quotes around a text"
    return Finding(trouble.mark, "a comma is missing before this", hint)


def list_beside_its_key(trouble: Trouble) -> Finding | None:
    """Find a list that starts in the line of its key."""
    if "sequence entries are not allowed" not in trouble.problem:
        return None
    item = trouble.rest.lstrip("- ")[:40]
    return Finding(trouble.mark, "a list can't start in the line of its key", f"write [{item}], or `- {item}` below it")


def two_colons(trouble: Trouble) -> Finding | None:
    """Find why a colon can't be where it is."""
    if "mapping values are not allowed" not in trouble.problem:
        return None
    number, line = trouble.mark.line, trouble.text_of(trouble.mark.line)
    if trouble.mark.column > _LONGEST_KEY:
        return Finding(Mark(number, 1), "a key of more than 1000 characters", "is a line break missing?")
    key = _KEY.fullmatch(line)
    if key is not None and key[3] and key.start(3) < trouble.mark.column:
        hint = f"quote the text: {key[2]}: {quoted(key[3])}"
        return Finding(trouble.mark, "a second colon in one line", hint)
    return _continued_by_mistake(trouble)


def _continued_by_mistake(trouble: Trouble) -> Finding | None:
    """Find a line that YAML takes as more of the text in the line above."""
    number = trouble.mark.line
    above = trouble.above(number)
    stuck = _STUCK_COLON.fullmatch(trouble.text_of(above))
    if stuck is not None and trouble.indent(above) == trouble.indent(number):
        return _no_space(above, stuck)
    if above and trouble.indent(above) < trouble.indent(number):
        return Finding(
            Mark(number, trouble.indent(number) + 1),
            "this line is indented as if it belonged to the one above, which has a value already",
            f"{_indent_by([trouble.indent(above)])}, like line {above}; or remove the value there",
        )
    return None


def no_colon(trouble: Trouble) -> Finding | None:
    """Find a line that is neither a key with its colon nor an item with its dash."""
    if "could not find expected ':'" not in trouble.problem:
        return None
    number = trouble.context.line
    text = trouble.text_of(number)[trouble.context.column - 1 :].strip()
    if len(text) > _LONGEST_KEY:
        return Finding(trouble.context, "a key of more than 1000 characters", "is a line break missing?")
    if re.match(r"-[^\s-]", text):
        return Finding(trouble.context, "a space is missing after the dash", f"write `- {text[1:40]}`")
    stuck = _STUCK_COLON.fullmatch(trouble.text_of(number))
    if stuck is not None:
        return _no_space(number, stuck)
    above = trouble.above(number)
    if _ITEM.match(trouble.text_of(above)) and trouble.indent(above) == trouble.indent(number):
        return Finding(trouble.context, "an item of a list without its dash", f"write `- {text[:40]}`")
    hint = "a key has a colon after it, an item of a list a dash before it"
    if text.startswith("//"):
        hint = "a comment starts with '#'"
    return Finding(trouble.context, f"{text[:40]!r} is neither a key nor an item of a list", hint)


def wrong_place(trouble: Trouble) -> Finding | None:
    """Find a line whose indentation fits none above, a list beside keys, and a key beside the items of a list."""
    if "expected key" not in trouble.problem and "block end" not in trouble.problem and "'-'" not in trouble.problem:
        return None
    if trouble.rest.startswith(":"):
        return Finding(trouble.mark, "a key is missing before this colon", "write a name before it, or quote the text")
    place = trouble.mark.column - 1
    if _ITEM.match(trouble.rest):
        return Finding(trouble.mark, "an item of a list where a key is wanted", _where_a_list_goes(trouble))
    levels = _levels(trouble)
    if place not in levels:
        return Finding(trouble.mark, "the indentation of this line fits none above", _indent_by(levels))
    if "block collection" in trouble.context_text:
        hint = "start it with '- ', or indent it as what belongs to the item above"
        return Finding(trouble.mark, "a key among the items of a list", hint)
    return None


def _indent_by(levels: list[int]) -> str:
    if levels == [0]:
        return "do not indent it"
    return f"indent it by {' or '.join(map(str, levels))} spaces"


def _no_space(number: int, stuck: re.Match[str]) -> Finding:
    place = Mark(number, stuck.end(1) + 1)
    return Finding(place, "a space is missing after the colon", f"write `{stuck[1].strip()}: {stuck[2].strip()[:40]}`")


def _where_a_list_goes(trouble: Trouble) -> str:
    above = trouble.above(trouble.mark.line)
    key = _KEY.fullmatch(trouble.text_of(above))
    if key is not None and not key[3]:
        return f"indent it at least as far as {key[2]!r} in line {above}"
    return "is it indented too little, or a name with a colon missing instead of the dash?"


def _levels(trouble: Trouble) -> list[int]:
    """Return the indentations at which a line could stand: those of the lines around the place."""
    found: list[int] = []
    lowest = 1 << 30
    for number in range(trouble.mark.line - 1, 0, -1):
        text = trouble.text_of(number)
        if text.strip() and not text.lstrip().startswith("#"):
            indent = trouble.indent(number)
            inner = len(text) - len(text.lstrip(" -"))
            if indent < lowest:
                found.extend(dict.fromkeys((inner, indent)))
                lowest = indent
    return sorted(set(found))
