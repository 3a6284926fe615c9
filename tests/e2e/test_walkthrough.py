"""The transcripts in the docs are golden: every command is typed in a real shell, and prints what the page says.

After a wanted change: RALLYFLOW_REGENERATE=1 pytest tests/e2e/test_walkthrough.py, and read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "walkthrough.md", DOCS / "guides" / "from-a-shell-script.md"]
_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)


def replayed(page: Path, cli) -> str:
    """Return the page with each command's output as it is now."""
    status = 0

    def block(match: re.Match[str]) -> str:
        nonlocal status
        lines = []
        for command in (line[2:] for line in match[1].splitlines() if line.startswith("$ ")):
            done = subprocess.run(
                ["/bin/bash", "-c", f"(exit {status}); {command}"],
                cwd=cli.directory,
                env=cli._env({"PATH": f"{cli._command([])[0].rpartition('/')[0]}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=60,
            )
            status = done.returncode
            lines.extend([f"$ {command}", *(line.rstrip() for line in done.stdout.strip("\n").splitlines())])
        return "```console\n" + "\n".join(lines) + "\n```\n"

    return _BLOCK.sub(block, page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_transcript_in_the_docs_is_what_the_program_prints(page, cli):
    now = replayed(page, cli)
    if os.environ.get("RALLYFLOW_REGENERATE"):
        page.write_text(now, encoding="utf-8")
    assert now == page.read_text(encoding="utf-8")
