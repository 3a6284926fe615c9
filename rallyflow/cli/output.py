"""How the command line speaks: errors and tables for people, JSON for programs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from rallyflow.errors import Diagnostic, RallyflowError, WorkflowInvalid

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "bold": "1", "dim": "2"}

_MOST_SHOWN = 100
"""How many errors of a file a person gets to see at once."""


def colour(text: str, *styles: str, stream: Any = None) -> str:
    """Return a text in colour, when the stream (stderr) is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stderr
    if os.environ.get("NO_COLOR") or not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return text
    return "".join(f"\x1b[{_COLOURS[style]}m" for style in styles) + text + "\x1b[0m"


def say(text: str = "") -> None:
    """Print a line of talk, to stderr; behind what was printed before it, where both go to one place."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):  # it is told, at the end, that nothing can be printed there
            sys.stdout.flush()
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:  # nobody listens any more, which is no reason to end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def show_error(error: RallyflowError) -> None:
    """Print an error for a person, to stderr: code, what, where, hint."""
    if isinstance(error, WorkflowInvalid):
        for diagnostic in error.diagnostics[:_MOST_SHOWN]:
            show_diagnostic(diagnostic)
        hidden = len(error.diagnostics) - _MOST_SHOWN
        say(error.what + (f"; {hidden} of them are not shown, but are with --json" if hidden > 0 else ""))
        return
    say(f"{colour(f'error[{error.code}]', 'red', 'bold')}: {error.what}")
    if error.where:
        say(f"  --> {error.where}")
    if error.hint:
        say(f"  {colour('hint', 'cyan')}: {error.hint}")


def show_diagnostic(diagnostic: Diagnostic, word: str = "error", style: str = "red") -> None:
    """Print one error of a workflow file, or advice about it, with the line that it is about."""
    say(f"{colour(f'{word}[{diagnostic.code}]', style, 'bold')}: {diagnostic.what}")
    say(f"  --> {printable(diagnostic.where)}")
    if diagnostic.used_at:
        say(f"  used at {printable(diagnostic.used_at)}")
    if diagnostic.excerpt:
        say(diagnostic.excerpt)
    if diagnostic.hint:
        say(f"  {colour('hint', 'cyan')}: {diagnostic.hint}")
    say()


def error_json(error: RallyflowError) -> dict[str, Any]:
    """Return an error as data."""
    data: dict[str, Any] = {"code": error.code, "what": error.what, "where": error.where, "hint": error.hint}
    if isinstance(error, WorkflowInvalid):
        data["diagnostics"] = diagnostics_json(error.diagnostics)
    return data


def diagnostics_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return the errors of a file, or advice about it, as data."""
    names = ("code", "what", "file", "line", "column", "hint", "used_at")
    return [{name: getattr(each, name) for name in names} for each in diagnostics]


def print_json(data: Any) -> None:
    """Print data as JSON, to stdout."""
    print(json.dumps(data, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a plain table to stdout: as wide as its content, without lines that would be in the way of `cut`."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[index]) for row in texts)]) for index, name in enumerate(columns)]
    numeric = [all(_is_number(row[index]) for row in rows) and bool(rows) for index in range(len(columns))]
    print(
        _line(
            [colour(name, "bold", stream=sys.stdout) for name in columns],
            widths,
            numeric,
            [len(name) for name in columns],
        )
    )
    for row in texts:
        print(_line(row, widths, numeric, [len(text) for text in row]))


def _line(texts: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], lengths: Sequence[int]) -> str:
    cells = []
    for text, width, right, length in zip(texts, widths, numeric, lengths, strict=True):
        padding = " " * (width - length)
        cells.append(padding + text if right else text + padding)
    return "  ".join(cells).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return printable(str(value))


def printable(text: str) -> str:
    """Return a text on one line, without the characters by which it could command a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
