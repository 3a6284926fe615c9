"""Golden diagnostics: every file in `broken/`, with what is said about it beside it.

A case that needs other files has a folder of its own in `broken/`, where `main.yaml` is what is compiled.
After a wanted change: RALLYFLOW_REGENERATE=1 pytest tests/unit/compile/test_broken.py, and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rallyflow.cli.output import show_error
from rallyflow.compile.compiler import compile_file
from rallyflow.errors import FILE_CODES, Diagnostic, WorkflowInvalid

FOLDER = Path(__file__).with_name("broken")
CASES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*.json"), *FOLDER.glob("*/main.yaml")])
PHRASES = re.compile(
    r"input should|valid (dictionary|string|integer|list|tuple|mapping|number|boolean)|field required|extra inputs"
    r"|\b(dict|tuple|NoneType|None|True|False|pydantic|validator|constructor|traceback|scalar|simple key|flow|stream"
    r"|block (mapping|collection|end)|StepModel|Inputs|Outputs|Union|Literal|Annotated|object at)\b"
    r"|^[A-Z][a-z]+Error|<class|RF\d{4}.*\[type=|  "
)
"""Words of libraries and of Python, which mean nothing to whoever wrote the file."""
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|^[\w.]+: |\"[^\"]*\"|`[^`]*`|\(its type is [^)]*\)|its type is .*")


def name_of(path: Path) -> str:
    return path.parent.name if path.parent != FOLDER else path.stem


def golden_of(path: Path) -> Path:
    return FOLDER / f"{name_of(path)}.txt"


def diagnostics_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Diagnostic, ...]:
    monkeypatch.chdir(path.parent)
    with pytest.raises(WorkflowInvalid) as caught:
        compile_file(Path(path.name))
    return caught.value.diagnostics


def said(diagnostic: Diagnostic) -> str:
    lines = [f"{diagnostic.where} {diagnostic.code} {diagnostic.what}"]
    if diagnostic.used_at:
        lines.append(f"    used at {diagnostic.used_at}")
    if diagnostic.hint:
        lines.append(f"    {diagnostic.hint}")
    return "\n".join(lines)


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_a_broken_file_gets_all_of_its_diagnostics_in_file_order(path, monkeypatch):
    found = "\n".join(map(said, diagnostics_of(path, monkeypatch))) + "\n"
    found = found.replace(str(path.parent), "FOLDER")
    if os.environ.get("RALLYFLOW_REGENERATE"):
        golden_of(path).write_text(found, encoding="utf-8")
    assert found == golden_of(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_every_diagnostic_shows_the_line_with_a_caret_under_its_column(path, monkeypatch):
    for each in diagnostics_of(path, monkeypatch):
        shown = [line for line in each.excerpt.split("\n") if line]
        assert len(shown) in (0, 2)
        if shown and each.column < 80 and shown[0].isascii():
            assert shown[1].index("^") - shown[0].index("│") - 2 == each.column - 1


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_no_two_diagnostics_say_the_same_of_one_place_and_each_file_is_told_in_its_order(path, monkeypatch):
    found = diagnostics_of(path, monkeypatch)
    assert len({(each.where, each.what) for each in found}) == len(found)
    for file in {each.file for each in found}:
        places = [(each.line, each.column) for each in found if each.file == file]
        assert places == sorted(places)


def test_every_case_has_a_golden_text_and_every_golden_text_a_case():
    assert sorted(path.name for path in FOLDER.glob("*.txt")) == sorted(golden_of(path).name for path in CASES)


def test_every_code_that_a_file_can_have_is_in_the_corpus():
    texts = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt"))
    of_the_command_line = {"RF0302"}
    assert set(re.findall(r"RF\d{4}", texts)) == set(FILE_CODES) - of_the_command_line


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_messages_are_in_plain_words(path):
    for line in golden_of(path).read_text(encoding="utf-8").splitlines():
        words = QUOTED.sub("'…'", re.sub(r"^\S+ RF\d{4} ", "", line.strip()))
        assert not PHRASES.search(words), line


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_nothing_in_a_file_commands_the_terminal(path, monkeypatch, capsys):
    monkeypatch.chdir(path.parent)
    with pytest.raises(WorkflowInvalid) as caught:
        compile_file(Path(path.name))
    show_error(caught.value)
    assert all(character.isprintable() or character == "\n" for character in capsys.readouterr().err)
