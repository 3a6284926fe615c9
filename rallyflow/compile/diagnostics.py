"""Collects every error of a file, with its place, so that a person can mend all of them in one go."""

from __future__ import annotations

from dataclasses import dataclass, field

from rallyflow.errors import Diagnostic, WorkflowInvalid

Path = tuple[str | int, ...]
"""Where something stands in a file: keys and list indices from the top."""


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

    def key_mark(self, path: Path) -> Mark:
        """Return the place of a key; of its value where there is no key (a list item)."""
        return self.keys.get(self._real(path)) or self.value_mark(path)

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
    _places: set[tuple[int, int]] = field(default_factory=set)

    def at(self, mark: Mark, code: str, what: str, hint: str = "") -> None:
        """Note an error at a place."""
        diagnostic = Diagnostic(
            code, what, self.source.name, mark.line, mark.column, hint, excerpt(self.source.lines, mark), self.used_at
        )
        if diagnostic not in self.found:
            self.found.append(diagnostic)
            self._places.add((mark.line, mark.column))

    def value(self, path: Path, code: str, what: str, hint: str = "") -> None:
        """Note an error in a value."""
        self.at(self.source.value_mark(path), code, what, hint)

    def key(self, path: Path, code: str, what: str, hint: str = "") -> None:
        """Note an error about a key."""
        self.at(self.source.key_mark(path), code, what, hint)

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
    """Return the line of a place with a caret under its column."""
    if not 0 < mark.line <= len(lines):
        return ""
    text = lines[mark.line - 1].replace("\t", " ")
    start = max(0, mark.column - 80)
    number = f"{mark.line:>4}"
    caret = " " * (mark.column - 1 - start)
    return f"{number} │ {text[start : start + 110].rstrip()}\n{' ' * len(number)} │ {caret}^"
