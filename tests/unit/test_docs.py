from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rallyflow.cli.main import VERBS
from rallyflow.compile.compiler import compile_unit
from rallyflow.compile.lint import lint
from rallyflow.errors import ADVICE_CODES, WorkflowInvalid

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("rallyflow")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
_WORKFLOW = re.compile(r"^```yaml[^\n]*\n(rallyflow: 1\n.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

WORKFLOWS = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    if page.name != "errors.md"  # its examples are wrong on purpose, and have tests of their own
    for number, text in enumerate(_WORKFLOW.findall(page.read_text()))
]
"""The complete workflows in the pages."""
ELSEWHERE = {"RF0250", "RF0260", "RF0303"}
"""Codes of what a workflow lacks whose page has the rest in other examples: a catalog, a file beside it, a param."""


def test_the_generated_reference_is_current():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_there_is(page):
    broken = []
    for target, anchor in _LINK.findall(_FENCE.sub("", page.read_text())):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def anchors(page):
    """What can stand behind the # of a link to a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_of_the_docs_can_be_reached_from_the_readme(page):
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        here = todo.pop()
        reached.add(here)
        links = [(here.parent / target).resolve() for target, _ in _LINK.findall(here.read_text()) if target]
        todo += [link for link in links if link.suffix == ".md" and link.exists() and link not in reached]
    assert page in reached


def test_the_drawing_in_the_docs_is_what_the_program_draws():
    workflow = "workflows/cloud-bench.yaml"
    done = subprocess.run(
        [PROGRAM, "graph", workflow, "--format", "svg"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == (ROOT / "docs" / "images" / "graph-cloud-bench.svg").read_text(), (
        f"run: rallyflow graph {workflow} -o docs/images/graph-cloud-bench.svg"
    )


def test_the_table_of_verbs_in_the_readme_has_all_of_them():
    assert sorted(re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)) == sorted(VERBS)


def test_every_code_in_the_source_is_documented():
    documented = set(re.findall(r"RF\d{4}", (ROOT / "docs" / "reference" / "errors.md").read_text()))
    used = {
        code
        for path in (ROOT / "rallyflow").rglob("*.py")
        for code in re.findall(r'"(RF\d{4})"', path.read_text(encoding="utf-8"))
    }
    assert used <= documented, used - documented


def test_the_workflow_in_the_readme_is_valid(tmp_path):
    text = (ROOT / "README.md").read_text().split("```yaml first.yaml\n")[1].split("```")[0]
    (tmp_path / "first.yaml").write_text(text)
    done = subprocess.run(
        [PROGRAM, "validate", tmp_path / "first.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", WORKFLOWS)
def test_no_workflow_in_the_docs_writes_its_report_before_there_is_anything_to_report(text, tmp_path):
    path = tmp_path / "workflow.yaml"
    path.write_text(text)
    assert {each.code for each in said_of(path)} <= ELSEWHERE | ADVICE_CODES.keys() - {"RF0911"}


def said_of(path):
    """What is wrong with a workflow, or else the advice about it."""
    try:
        return lint(*compile_unit(path))
    except WorkflowInvalid as error:
        return error.diagnostics
