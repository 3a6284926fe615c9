"""A place where a reader of YAML gave up, and what can be seen around it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from rallyflow.compile.diagnostics import Mark

_MOST_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a person has to mend a text, what is wrong there, and a hint."""

    mark: Mark
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign of a text, with its place."""

    start: Mark
    end: Mark
    quote: str = ""
    text: str = ""
    opens: str = ""
    closes: bool = False

    @classmethod
    def of(cls, token: Any, lines_before: int) -> Token:
        """Return a token of a YAML reader that began to read behind some lines."""
        start, end = token.start_mark, token.end_mark
        marks = (
            Mark(start.line + 1 + lines_before, start.column + 1),
            Mark(end.line + 1 + lines_before, end.column + 1),
        )
        if isinstance(token, yaml.ScalarToken):
            return cls(*marks, token.style if token.style in ("'", '"') else "", token.value)
        opens = {yaml.FlowMappingStartToken: "{", yaml.FlowSequenceStartToken: "["}.get(type(token), "")
        return cls(*marks, opens=opens, closes=isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken))


@dataclass(frozen=True)
class Trouble:
    """Where a YAML reader gave up (`mark`), what it was reading (from `context` on), and its words for both."""

    lines: list[str]
    mark: Mark
    context: Mark
    problem: str
    context_text: str

    def text_of(self, line: int) -> str:
        """Return a line of the text, an empty one behind its end."""
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    @property
    def rest(self) -> str:
        """What stands in the line from the place on."""
        return self.text_of(self.mark.line)[self.mark.column - 1 :]

    def word(self, place: Mark) -> str:
        """Return the text that starts at a place, up to what ends it in brackets or else up to the line's end."""
        rest = self.text_of(place.line)[place.column - 1 :]
        return re.split(r"[,\]}]", rest, maxsplit=1)[0] if self.scanned[1] else rest

    @property
    def at_the_end(self) -> bool:
        """Whether nothing but space and comments comes at or behind the place."""
        below = self.lines[self.mark.line :]
        return all(not line.strip() or line.lstrip().startswith("#") for line in (self.rest, *below))

    def indent(self, line: int) -> int:
        """Return how many spaces a line starts with."""
        text = self.text_of(line)
        return len(text) - len(text.lstrip(" "))

    def above(self, line: int) -> int:
        """Return the number of the next line above that has something in it; 0 where there is none."""
        for number in range(line - 1, 0, -1):
            text = self.text_of(number).strip()
            if text and not text.startswith("#"):
                return number
        return 0

    @cached_property
    def scanned(self) -> tuple[Token | None, list[tuple[str, Mark]]]:
        """The token before the place, and the brackets that are open there."""
        last: Token | None = None
        brackets: list[tuple[str, Mark]] = []
        for token in self._tokens():
            if (token.start.line, token.start.column) >= (self.mark.line, self.mark.column):
                break
            if token.start != token.end:  # those of no width are guesses about structure
                last = token
            if token.opens:
                brackets.append((token.opens, token.start))
            elif token.closes and brackets:
                brackets.pop()
        return last, brackets

    def _tokens(self) -> Iterator[Token]:
        first = self._first_line()
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        text = "\n".join(self.lines[first - 1 : self.mark.line + 1])
        with contextlib.suppress(yaml.YAMLError):  # the one that we are here to explain
            for token in yaml.scan(text, Loader=loader):
                yield Token.of(token, first - 1)

    def _first_line(self) -> int:
        """Return the line from which on to look: in a large file the key at its margin that the place belongs to."""
        flow = "flow" in self.context_text or "quoted" in self.context_text
        start = self.context.line if flow else self.mark.line
        if self.mark.line <= _MOST_LINES:
            return 1
        margin = (number for number in range(start, 0, -1) if self.text_of(number)[:1] not in ("", " ", "]", "}", "#"))
        return next(margin, 1)


def quoted(text: str) -> str:
    """Return a text as it has to be written to be one, without a comment that follows it."""
    text = re.split(r"\s#|[,\]}]\s*$", text.strip(), maxsplit=1)[0].strip()
    text = text if len(text) <= 60 else f"{text[:57]}..."
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"
