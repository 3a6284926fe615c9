from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rallyflow.cli.main import VERBS

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("rallyflow")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


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
