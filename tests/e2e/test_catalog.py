"""Catalogs through the real program: pinned, shown, used by a workflow, changed, and shipped in the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rallyflow.errors import Exit

ROOT = Path(__file__).parents[2]
ECHO = """
rallyflow: 1
name: echo
description: Says something
params:
  word: {type: str, description: What to say}
  times: {type: int, default: 1}
steps: {say: {uses: shell, with: {run: 'printf "%s" "$W"', env: {W: "${{ params.word }}"}}}}
outputs: {said: "${{ steps.say.stdout }}"}
"""
CATALOG = "name: shared\nversion: {version}\ndescription: For all teams\nworkflows: [echo.yaml]\n"
USER = """
rallyflow: 1
name: user
steps: {talk: {uses: "shared/echo@1", with: {word: hello}}}
outputs: {heard: "${{ steps.talk.said }}"}
"""


@pytest.fixture
def shared(cli):
    """A catalog, and commands that keep to a cache of their own."""
    folder = cli.directory / "shared"
    folder.mkdir()
    (folder / "echo.yaml").write_text(ECHO)
    (folder / "catalog.yaml").write_text(CATALOG.format(version="1.0.0"))
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_workflow_of_a_catalog_is_a_step_until_its_content_changes(cli, shared):
    path = cli.workflow(USER)
    unknown = cli.run("validate", path)
    assert unknown.returncode == Exit.INVALID
    assert "RF0250" in unknown.stderr
    assert f"{path}:4:22" in unknown.stderr
    added = cli.run("catalog", "add", "./shared")
    assert added.returncode == 0, added.stderr
    assert "uses: shared/WORKFLOW@1" in added.stderr
    run = cli.run("apply", path)
    assert run.returncode == 0, run.stderr
    assert "hello" in run.stdout + run.stderr
    (shared / "echo.yaml").write_text(ECHO.replace("Says", "Shouts"))
    changed = cli.run("validate", path)
    assert changed.returncode == Exit.INVALID
    assert "RF0253" in changed.stderr
    assert "rallyflow catalog update shared" in changed.stderr
    assert cli.run("catalog", "verify").returncode == Exit.INVALID
    assert "sha256 " in cli.ok("catalog", "update")
    cli.ok("catalog", "verify")
    cli.ok("validate", path)
    (shared / "catalog.yaml").write_text(CATALOG.format(version="2.0.0"))
    assert "shared: 1.0.0 -> 2.0.0" in cli.ok("catalog", "update", "shared")
    other = cli.run("validate", path)
    assert "RF0252" in other.stderr
    assert "write @2" in other.stderr


def test_the_catalogs_are_listed_and_shown_with_params_and_outputs(cli, shared):
    cli.ok("catalog", "add", shared, "--name", "mine")
    rows = {row["name"]: row for row in cli.json("catalog", "list")}
    assert set(rows) == {"mine", "rallyflow"}
    assert rows["mine"]["pinned"]
    assert rows["mine"]["source"] == str(shared)
    assert "mine" in cli.ok("catalog", "list")
    (workflow,) = cli.json("catalog", "show", "mine/echo")["workflows"]
    assert workflow["uses"] == "mine/echo@1"
    word, times = workflow["params"]
    assert (word["name"], word["type"], word["required"]) == ("word", "str", True)
    assert (times["required"], times["default"]) == (False, 1)
    shown = cli.ok("catalog", "show", "mine")
    for told in ("mine/echo@1", "word: str (required)  What to say", "times: int (default 1)", "output  said", "Says"):
        assert told in shown
    assert "quickstart" in cli.ok("catalog", "show", "rallyflow")


def test_a_broken_catalog_does_not_hide_the_others_and_shows_every_mistake(cli, shared):
    cli.ok("catalog", "add", "./shared")
    (shared / "catalog.yaml").write_text("name: shared\nversion: one\nworkflow: [echo.yaml]\n")
    rows = {row["name"]: row for row in cli.json("catalog", "list")}
    assert rows["shared"]["problem"]["code"] == "RF0255"
    assert "quickstart" in rows["rallyflow"]["workflows"]
    shown = cli.run("catalog", "show", "shared")
    assert shown.returncode == Exit.INVALID
    for told in ("catalog.yaml:2:10", "not a semantic version", "unknown key 'workflow'", "did you mean 'workflows'?"):
        assert told in shown.stderr
    verified = cli.run("catalog", "verify", "--json")
    assert verified.returncode == Exit.INVALID
    answer = json.loads(verified.stdout)
    assert not answer["ok"]
    assert answer["catalogs"][0]["problem"]["code"] == "RF0255"


def test_a_catalog_in_a_repository_is_pinned_and_updated(cli, shared):
    git(shared, "init", "-q")
    git(shared, "add", "-A")
    git(shared, "commit", "-q", "-m", "one")
    git(shared, "tag", "v1")
    cache = {"XDG_CACHE_HOME": str(cli.directory / "cache")}
    cli.ok("catalog", "add", f"git+file://{shared}@main", **cache)
    cli.ok("catalog", "add", f"git+file://{shared}@v1", "--name", "fixed", **cache)
    commit = git(shared, "rev-parse", "HEAD")
    assert f"commit: {commit}" in (cli.directory / "catalog.lock").read_text()
    path = cli.workflow(USER)
    cli.ok("apply", path, **cache)
    (shared / "catalog.yaml").write_text(CATALOG.format(version="1.1.0"))
    git(shared, "commit", "-q", "-a", "-m", "two")
    newer = git(shared, "rev-parse", "HEAD")
    told = cli.ok("catalog", "update", **cache)
    assert f"shared: 1.0.0 -> 1.1.0, commit {commit[:10]} -> {newer[:10]}, sha256 " in told
    assert "fixed: 1.0.0, as it was" in told
    elsewhere = cli.run("validate", path, XDG_CACHE_HOME=str(cli.directory / "empty"))
    assert elsewhere.returncode == Exit.INVALID
    assert "rallyflow catalog fetch shared" in elsewhere.stderr
    cli.ok("catalog", "fetch", XDG_CACHE_HOME=str(cli.directory / "empty"))
    cli.ok("validate", path, XDG_CACHE_HOME=str(cli.directory / "empty"))


def test_the_folder_of_the_lock_can_be_given(cli, shared):
    (cli.directory / "team").mkdir()
    cli.ok("catalog", "add", "shared", "--dir", "team")
    assert "source: ../shared" in (cli.directory / "team" / "catalog.lock").read_text()
    assert cli.json("catalog", "verify", "--dir", "team")["ok"]
    assert "shared" not in {row["name"] for row in cli.json("catalog", "list")}
    assert "shared" in {row["name"] for row in cli.json("catalog", "list", "--dir", "team")}
    assert str(shared) not in (cli.directory / "team" / "catalog.lock").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["add", "gone"], Exit.INVALID, "the folder of the catalog './gone' is not there"),
        (["add", "home"], Exit.INVALID, "RF0250"),
        (["add", "https://example.org/x"], Exit.INVALID, "git+https://example.org/x"),
        (["add", "shared", "--name", "a/b"], Exit.USAGE, "not a name"),
        (["add", "package:gone"], Exit.INVALID, "no installed package"),
        (["update"], Exit.USAGE, "nothing is pinned"),
        (["verify"], Exit.USAGE, "rallyflow catalog add SOURCE"),
        (["show", "rallyflow/quickstar"], Exit.INVALID, "did you mean 'quickstart'?"),
        (["show", "ralyflow"], Exit.INVALID, "did you mean 'rallyflow'?"),
        (["shov"], Exit.USAGE, "shov"),
    ],
)
@pytest.mark.usefixtures("shared")
def test_what_can_not_be_done_says_what_to_do(cli, arguments, code, told):
    done = cli.run("catalog", *arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_catalog_that_ships_runs(cli):
    text = """
rallyflow: 1
name: nested
steps:
  inner: {uses: "rallyflow/boot-and-list@1", with: {requests: 2}}
"""
    cli.ok("validate", cli.workflow(text))


def test_the_wheel_holds_the_catalog_that_ships(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    shipped = tmp_path / "site" / "rallyflow" / "catalogs" / "shipped"
    assert {path.name for path in shipped.iterdir()} == {path.name for path in (ROOT / "workflows").glob("*.yaml")}
    assert not (tmp_path / "site" / "workflows").exists()
    imports = "from pathlib import Path; from rallyflow.catalogs import resolve"
    code = f"{imports}; print(resolve('rallyflow/snapshot@1', Path()).path)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(shipped / "snapshot.yaml")
