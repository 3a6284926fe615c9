"""Every code has an explanation, and its examples do what the explanation says: they are compiled."""

from __future__ import annotations

import pytest

from rallyflow.compile.compiler import compile_unit
from rallyflow.compile.lint import lint
from rallyflow.errors import ADVICE_CODES, FILE_CODES, WorkflowInvalid
from rallyflow.explanations.codes import codes, error_classes, explain_code, explained, summary_of

WITH_EXAMPLES = sorted(code for code in explained() if explain_code(code).examples)
WITHOUT_EXAMPLE = {
    "RF0250": "depends on the catalogs that are pinned beside the workflow",
    "RF0251": "depends on the catalogs that are pinned beside the workflow",
    "RF0252": "depends on the catalogs that are pinned beside the workflow",
    "RF0253": "depends on the catalogs that are pinned beside the workflow",
    "RF0254": "depends on what is installed",
    "RF0255": "is about the file of a catalog, not about a workflow",
    "RF0909": "depends on the catalogs that are installed",
}
"""The codes of files that no workflow alone can show, with the reason."""


def compiled(code, name, folder):
    """Return what is found in an example, as a person would meet it: in files on disk; advice is for codes of it."""
    example = explain_code(code).examples[name]
    for file, text in example.files.items():
        (folder / file).write_text(text, encoding=example.encoding)
    try:
        unit, plan = compile_unit(folder / next(iter(example.files)), example.params)
    except WorkflowInvalid as error:
        return [each.code for each in error.diagnostics]
    return [each.code for each in lint(unit, plan)] if code in ADVICE_CODES else []


def test_every_code_has_an_explanation():
    assert set(codes()) - set(explained()) == set()


def test_every_explanation_is_of_a_code():
    assert set(explained()) - set(codes()) == set()


def test_every_code_of_a_file_has_examples_or_a_reason_for_none():
    assert {*FILE_CODES, *ADVICE_CODES} - set(WITH_EXAMPLES) - set(WITHOUT_EXAMPLE) == set()


@pytest.mark.parametrize("code", sorted(explained()))
def test_an_explanation_says_what_the_code_means_and_what_leads_to_it(code):
    data = explained()[code]
    assert set(data) <= {"means", "why", "causes", "do", "wrong", "right"}
    assert data["means"]
    assert data.get("causes") or data.get("do")
    assert ("wrong" in data) == ("right" in data)


@pytest.mark.parametrize("code", WITH_EXAMPLES)
def test_the_compiler_finds_exactly_this_in_the_wrong_example(code, tmp_path):
    assert set(compiled(code, "wrong", tmp_path)) == {code}


@pytest.mark.parametrize("code", WITH_EXAMPLES)
def test_the_compiler_finds_nothing_in_the_right_example(code, tmp_path):
    assert compiled(code, "right", tmp_path) == []


@pytest.mark.parametrize("code", sorted(codes()))
def test_a_code_has_a_summary_of_one_line(code):
    assert summary_of(code)
    assert "\n" not in summary_of(code)


def test_no_two_classes_of_errors_share_a_code():
    named = [each.code for each in error_classes().values()]
    assert len(set(named)) == len(named)
    assert not set(named) & {*FILE_CODES, *ADVICE_CODES}
