"""Collects every error of a file, with its place, so that a person can mend all of them in one go."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from unicodedata import combining, east_asian_width

from rallyflow.errors import Diagnostic, WorkflowInvalid

Path = tuple[str | int, ...]
"""Where something stands in a file: keys and list indices from the top."""

MOST_ERRORS = 1000
"""How many errors of one file are looked for."""
_WIDEST = 110
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1, and (0, 0) is the whole file."""

    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Source:
    """The text of a file, with the places of all of its values and keys."""

    name: str
    lines: list[str]
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    repeats: dict[Path, Mark] = field(default_factory=dict)  # where an alias puts a value that stands elsewhere
    _aliases: dict[Path, Path] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """Return `file:line:column` of a key."""
        mark = self.key_mark(path)
        return f"{self.name}:{mark.line}:{mark.column}"

    def alias(self, path: Path, place: Path) -> None:
        """Let what stands at a place also stand at another path of the data, where the file has nothing."""
        self._aliases[path] = place

    def value_mark(self, path: Path) -> Mark:
        """Return the place of a value, or of the nearest thing around it that is in the file."""
        path = self._real(path)
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Mark())

    def has_expression(self, path: Path) -> bool:
        """Whether a value is an expression in the file."""
        mark = self.value_mark(path)
        line = self.lines[mark.line - 1] if 0 < mark.line <= len(self.lines) else ""
        return line[mark.column - 1 :].lstrip("\"'").startswith("${{")

    def key_mark(self, path: Path) -> Mark:
        """Return the place of a key; of its value where there is no key (a list item)."""
        return self.keys.get(self._real(path)) or self.value_mark(path)

    def used_at(self, path: Path) -> str:
        """Return where the file refers to a text that stands elsewhere in it; empty when it stands there itself."""
        if self._real(path)[:2] != path[:2]:
            mark = self.keys.get(path[:2], Mark())
            return f"{self.name}:{mark.line}:{mark.column}"
        for length in range(len(path), 0, -1):
            if path[:length] in self.repeats:
                mark = self.repeats[path[:length]]
                return f"{self.name}:{mark.line}:{mark.column}"
        return ""

    def _real(self, path: Path) -> Path:
        if self._aliases:
            for length in range(len(path), 0, -1):
                if path[:length] in self._aliases:
                    return self._aliases[path[:length]] + path[length:]
        return path


@dataclass(slots=True)
class Diagnostics:
    """The errors found so far in one file."""

    source: Source
    found: list[Diagnostic] = field(default_factory=list)
    used_at: str = ""  # for a file that another uses: where it does, first
    most: int = sys.maxsize  # from how many errors on the rest of the file is not looked at
    noted: int = 0  # how often there was something to note, also what had been said before
    _places: set[tuple[int, int]] = field(default_factory=set)
    _said: set[tuple[int, int, str, str]] = field(default_factory=set)

    def at(self, mark: Mark, code: str, what: str, hint: str = "", used_at: str = "") -> None:
        """Note an error at a place, once; WorkflowInvalid when there are too many."""
        what, hint = _presentable(what), _presentable(hint)
        self.noted += 1
        said = (mark.line, mark.column, code, what)
        if said in self._said:
            return
        self._said.add(said)
        self._places.add((mark.line, mark.column))
        shown = excerpt(self.source.lines, mark)
        place = (self.source.name, mark.line, mark.column)
        self.found.append(Diagnostic(code, what, *place, hint, shown, self.used_at or used_at))
        if len(self.found) >= self.most:
            raise WorkflowInvalid(self.in_order(), more=True)

    def value(self, path: Path, code: str, what: str, hint: str = "") -> None:
        """Note an error in a value."""
        self.at(self.source.value_mark(path), code, what, hint, self.source.used_at(path))

    def key(self, path: Path, code: str, what: str, hint: str = "") -> None:
        """Note an error about a key."""
        self.at(self.source.key_mark(path), code, what, hint, self.source.used_at(path))

    def knows(self, path: Path) -> bool:
        """Whether a value has an error already: what follows from that error need not be said."""
        mark = self.source.value_mark(path)
        return (mark.line, mark.column) in self._places

    def in_order(self) -> list[Diagnostic]:
        """Return the errors in file order."""
        return sorted(self.found, key=lambda d: (d.line, d.column))

    def stop_if_any(self) -> None:
        """Raise WorkflowInvalid with all errors in file order, if there are any."""
        if self.found:
            raise WorkflowInvalid(self.in_order())


def excerpt(lines: list[str], mark: Mark) -> str:
    """Return the line of a place with a caret under its column, cut to what fits a terminal around the place."""
    if not 0 < mark.line <= len(lines):
        return ""
    line = lines[mark.line - 1]
    start = max(0, mark.column - 80)
    before, after = _visible(line[start : mark.column - 1]), _visible(line[mark.column - 1 : start + _WIDEST])
    ends = ("…" if start else "", "…" if len(line) > start + _WIDEST else "")
    number = f"{mark.line:>4}"
    caret = " " * _width(ends[0] + before)
    return f"{number} │ {ends[0]}{before}{after}{ends[1]}".rstrip() + f"\n{' ' * len(number)} │ {caret}^"


def _visible(text: str) -> str:
    """Return a text without the characters that move a cursor, turn its direction or take no space."""
    return "".join(c if c.isprintable() else "→" if c == "\t" else "·" for c in text)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _presentable(text: str) -> str:
    """Return a message on one line, of a length that a person reads, that can't command a terminal."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 100]} … {text[-90:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
