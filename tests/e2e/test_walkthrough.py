"""The transcripts in the docs are golden: every command is typed in a real shell, and prints what the page says.

A block that begins with ```console holds commands after `$ ` (their further lines after `> `) and what they print; one
shell runs all of a page. A block that begins with a language and a name, such as ```yaml site.yaml, is that file.
Pages that show ids, times and sizes show those of one day: any others count as equal, as long as what is the same id
in one place is the same in all.
After a wanted change: RALLYFLOW_REGENERATE=1 pytest tests/e2e/test_walkthrough.py, and read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = DOCS / "guides"
README = DOCS.parent / "README.md"
PAGES = [
    DOCS / "walkthrough.md",
    GUIDES / "from-a-shell-script.md",
    GUIDES / "catalogs.md",
    GUIDES / "people-in-the-loop.md",
    GUIDES / "cleaning-up.md",
    GUIDES / "watching-a-run.md",
]
RECORDED = [README, GUIDES / "after-a-crash.md", GUIDES / "running-again.md"]
"""Pages that show ids, times and sizes."""
_BLOCK = re.compile(r"```(console|\w+ [\w./-]+)\n(.*?)```\n", re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*\n(?:> .*\n)*)", re.MULTILINE)
_END = "\0"
_RUN = re.compile(r"\b\d{8}-\d{6}-[a-z0-9]{5}\b")
_VARYING = {
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3}Z)?": "DATE",
    r"\b\d+(\.\d+)? (ms|s|min|h)\b( \d+ (s|min)\b)?": "TIME",
    r"\b\d+(\.\d+)? [KMG]iB": "SIZE",
    r"(?<=-RUN\d-)[a-z0-9]{10}\b": "KEY",
    r"(^rows +\w+: \d+\n)+": "ROWS\n",  # how many there are at the moment of a kill
    r"\b\d+ (events|parts)\b": r"N \1",
    r" {2,}": "  ",  # columns are as wide as what is in them
}


def replayed(page: Path, cli) -> str:
    """Return the page with each command's output as it is now."""
    text = page.read_text(encoding="utf-8")
    blocks = _BLOCK.findall(text)
    printed = iter(_printed("".join(_script(kind, body) for kind, body in blocks), cli).split(_END))

    def block(match: re.Match[str]) -> str:
        if match[1] != "console":
            return match[0]
        lines = [f"$ {typed}{_tidy(next(printed))}" for typed in _COMMAND.findall(match[2])]
        return f"```console\n{''.join(lines)}```\n"

    return _BLOCK.sub(block, text)


def _script(kind: str, body: str) -> str:
    """Return what the shell has to do for a block: print a mark after each command, and keep `$?`."""
    if kind != "console":
        return f"cat > {kind.partition(' ')[2]} <<'END OF FILE'\n{body}END OF FILE\n"
    commands = [typed.replace("\n> ", "\n") for typed in _COMMAND.findall(body)]
    return "".join(f"{command}_code=$?; printf '\\0'; (exit $_code)\n" for command in commands)


def _printed(script: str, cli) -> str:
    program, _, _ = cli._command([])[0].rpartition("/")
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=cli.directory,
        env=cli._env(
            {
                "PATH": f"{program}:{os.environ['PATH']}",
                "LC_ALL": "C.UTF-8",
                "XDG_CACHE_HOME": str(cli.directory / ".cache"),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "USER": "ada",
                "LOGNAME": "ada",
            }
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    return done.stdout.replace(str(cli.directory), "/home/ada")


def _tidy(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.strip("\n").splitlines())


def _masked(page: str) -> str:
    """Return a page without what is another each time."""
    runs = {run: f"RUN{number}" for number, run in enumerate(dict.fromkeys(_RUN.findall(page)))}
    text = _RUN.sub(lambda match: runs[match[0]], page)
    for pattern, word in _VARYING.items():
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_transcript_in_the_docs_is_what_the_program_prints(page, cli):
    cli.home = cli.directory / ".rallyflow"
    now = replayed(page, cli)
    if os.environ.get("RALLYFLOW_REGENERATE"):
        page.write_text(now, encoding="utf-8")
    assert now == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", RECORDED, ids=lambda page: page.stem)
def test_a_recorded_transcript_is_what_the_program_prints_but_for_ids_times_and_sizes(page, cli):
    cli.home = cli.directory / ".rallyflow"
    before = page.read_text(encoding="utf-8")
    now = replayed(page, cli)
    if os.environ.get("RALLYFLOW_REGENERATE") and _masked(now) != _masked(before):
        page.write_text(now, encoding="utf-8")
    assert _masked(now) == _masked(page.read_text(encoding="utf-8"))
