from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def test_the_generated_reference_is_current():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_code_in_the_source_is_documented():
    documented = set(re.findall(r"RF\d{4}", (ROOT / "docs" / "reference" / "errors.md").read_text()))
    used = {
        code
        for path in (ROOT / "rallyflow").rglob("*.py")
        for code in re.findall(r'"(RF\d{4})"', path.read_text(encoding="utf-8"))
    }
    assert used <= documented, used - documented


def test_the_workflow_in_the_readme_is_valid(tmp_path):
    text = (ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "first.yaml").write_text(text)
    done = subprocess.run(
        [Path(sys.executable).with_name("rallyflow"), "validate", tmp_path / "first.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
