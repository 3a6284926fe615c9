"""Golden diagnostics: every file in `broken/`, with what is said about it beside it.

After a wanted change: RALLYFLOW_REGENERATE=1 pytest tests/unit/compile/test_broken.py, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rallyflow.compile.compiler import compile_data
from rallyflow.compile.diagnostics import Diagnostics
from rallyflow.compile.reader import read_text
from rallyflow.errors import WorkflowInvalid

FOLDER = Path(__file__).with_name("broken")
FILES = sorted(FOLDER.glob("*.yaml"))


def said_about(path: Path) -> str:
    with pytest.raises(WorkflowInvalid) as caught:
        compile_data(*read_text(path.read_bytes(), path.name), {})
    lines = [f"{each.where} {each.code} {each.what}\n    {each.hint}".rstrip() for each in caught.value.diagnostics]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_gets_all_of_its_diagnostics_in_file_order(path):
    said = said_about(path)
    golden = path.with_suffix(".txt")
    if os.environ.get("RALLYFLOW_REGENERATE"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_diagnostic_shows_the_line_with_a_caret_under_its_column(path):
    with pytest.raises(WorkflowInvalid) as caught:
        compile_data(*read_text(path.read_bytes(), path.name), {})
    places = [(each.line, each.column) for each in caught.value.diagnostics]
    assert places == sorted(places)
    for each in caught.value.diagnostics:
        shown = [line for line in each.excerpt.split("\n") if line]
        assert len(shown) in (0, 2)
        if shown and each.column < 80:
            assert shown[1].index("^") - shown[0].index("│") - 2 == each.column - 1


def test_no_two_diagnostics_say_the_same_of_one_place():
    for path in FILES:
        lines = [line for line in said_about(path).splitlines() if not line.startswith(" ")]
        assert len(set(lines)) == len(lines)


def test_a_diagnostic_is_noted_once():
    _, source = read_text(b"a: 1\n", "file.yaml")
    errors = Diagnostics(source)
    for _ in range(2):
        errors.value(("a",), "RF0212", "what")
    assert len(errors.found) == 1
