"""Catalogs for tests: folders, and real git repositories with them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

BOOT = """
rallyflow: 1
name: boot
params: {users: {type: int, default: 1, description: How many}}
steps: {a: {uses: noop}}
outputs: {x: "${{ steps.a.value }}"}
"""
CATALOG = """
name: {name}
version: {version}
description: For tests
workflows: {{boot: {{file: boot.yaml}}, deep: {{file: inner/deep.yaml}}}}
"""


def make(folder, name="ours", version="1.4.2", more=""):
    """Write a catalog with two workflows."""
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    (folder / "catalog.yaml").write_text(CATALOG.format(name=name, version=version) + more)
    (folder / "boot.yaml").write_text(BOOT)
    (folder / "inner" / "deep.yaml").write_text(BOOT.replace("name: boot", "name: deep"))
    return folder


@dataclass
class Repository:
    """A git repository whose files a test writes and commits."""

    folder: Path

    @property
    def url(self):
        return f"git+file://{self.folder}"

    def git(self, *arguments):
        identity = {
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.org",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.org",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **identity},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message="change"):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def make_catalog():
    """Return the function that writes a catalog into a folder."""
    return make


@pytest.fixture
def catalog(tmp_path):
    """A catalog in a folder beside that of the workflows."""
    return make(tmp_path / "shared")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of the workflows, which is the working directory too."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache that no other test sees."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "rallyflow" / "catalogs"


@pytest.fixture
def repository(tmp_path):
    """A repository with a catalog at its top, and another in a folder of it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Repository(folder)
    made.git("init", "-q", "-b", "main")
    make(folder)
    make(folder / "more", name="theirs", version="2.0.0")
    made.commit()
    return made
