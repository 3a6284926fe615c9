"""A place where a reader of YAML gave up, and what can be seen around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import yaml

from rallyflow.compile.diagnostics import Mark

_MOST_TOKENS = 500_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a person has to mend a text, what is wrong there, and a hint."""

    mark: Mark
    what: str
    hint: str


@dataclass(frozen=True)
class Trouble:
    """Where a YAML reader gave up (`mark`), what it was reading (from `context` on), and its words for both."""

    text: str
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
    def scanned(self) -> tuple[Any, list[tuple[str, Mark]]]:
        """The token before the place, and the brackets that are open there."""
        last, brackets = None, []
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for token in islice(yaml.scan(self.text, Loader=loader), _MOST_TOKENS):
                place = Mark(token.start_mark.line + 1, token.start_mark.column + 1)
                if (place.line, place.column) >= (self.mark.line, self.mark.column):
                    break
                if token.start_mark.index < token.end_mark.index:  # those of no width are guesses about structure
                    last = token
                if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
                    brackets.append(("{" if isinstance(token, yaml.FlowMappingStartToken) else "[", place))
                elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken) and brackets:
                    brackets.pop()
        except yaml.YAMLError:
            pass  # the one that we are here to explain
        return last, brackets


def quoted(text: str) -> str:
    """Return a text as it has to be written to be one, without a comment that follows it."""
    text = re.split(r"\s#|[,\]}]\s*$", text.strip(), maxsplit=1)[0].strip()
    text = text if len(text) <= 60 else f"{text[:57]}..."
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"
