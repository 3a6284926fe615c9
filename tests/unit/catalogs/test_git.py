"""Catalogs in real git repositories: fetched when they are pinned, found in the cache from then on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from rallyflow.catalogs import CatalogProblem, git, resolve
from rallyflow.catalogs.content import sha256_of
from rallyflow.catalogs.locking import read_lock
from rallyflow.catalogs.sources import GitSource, parse_source
from rallyflow.catalogs.upkeep import add, fetch, update, verify
from rallyflow.errors import StorageError, UsageError


@pytest.fixture
def lock(here):
    return here / "catalog.lock"


def pin_of(lock, name="ours"):
    return read_lock(lock).pins[name]


def test_a_repository_is_pinned_by_its_commit_and_found_without_it(lock, repository, cache):
    head = repository.git("rev-parse", "HEAD")
    assert add(repository.url, lock)[0] == "ours"
    assert pin_of(lock).commit == head
    assert pin_of(lock).source == repository.url
    shutil.rmtree(repository.folder)
    located = resolve("ours/boot@1", lock.parent)
    assert located.path == cache / head / "boot.yaml"
    assert not (cache / head / ".git").exists()
    assert [path.name for path in cache.iterdir()] == [head]


def test_a_folder_of_a_repository_is_a_catalog_of_its_own(lock, repository, cache):
    assert add(f"{repository.url}#more", lock)[0] == "theirs"
    located = resolve("theirs/deep@2", lock.parent)
    assert located.path == cache / pin_of(lock, "theirs").commit / "more" / "inner" / "deep.yaml"
    assert located.sha256 == sha256_of(repository.folder / "more")


def test_a_branch_moves_with_an_update_and_a_tag_stays(lock, repository, make_catalog):
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1", "-m", "one")
    repository.git("branch", "feature/x")
    add(f"{repository.url}@main", lock, "branch")
    add(f"{repository.url}@v1", lock, "tag")
    add(f"{repository.url}@feature/x", lock, "slash")
    make_catalog(repository.folder, version="1.5.0")
    second = repository.commit()
    assert resolve("branch/boot@1.4", lock.parent).version == "1.4.2"
    changes = {change.name: change for change in update(lock, ())}
    assert [name for name, change in changes.items() if change.changed] == ["branch"]
    moved = changes["branch"]
    assert (moved.before.version, moved.before.commit) == ("1.4.2", first)
    assert (moved.after.version, moved.after.commit) == ("1.5.0", second)
    assert pin_of(lock, "branch") == moved.after
    assert pin_of(lock, "tag").commit == pin_of(lock, "slash").commit == first


@pytest.mark.parametrize("alone", [True, False])
def test_a_commit_can_be_pinned_also_when_the_server_does_not_give_it_alone(
    lock, repository, make_catalog, alone, monkeypatch, tmp_path
):
    first = repository.git("rev-parse", "HEAD")
    make_catalog(repository.folder, version="1.5.0")
    repository.commit()
    if not alone:  # as servers of the old protocol do
        config = tmp_path / "gitconfig"
        config.write_text("[protocol]\n  version = 0\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    add(f"{repository.url}@{first}", lock)
    assert pin_of(lock).version == "1.4.2"


def test_what_the_cache_lost_is_not_fetched_unasked(lock, repository, cache):
    add(repository.url, lock)
    shutil.rmtree(cache)
    with pytest.raises(CatalogProblem, match="has not been fetched") as caught:
        resolve("ours/boot@1", lock.parent)
    assert caught.value.code == "RF0250"
    assert "rallyflow catalog fetch ours" in caught.value.hint
    assert not cache.exists()
    assert [change.changed for change in update(lock, ["ours"])] == [False]
    resolve("ours/boot@1", lock.parent)


def test_a_fresh_machine_fetches_what_is_pinned_also_when_the_branch_has_moved(lock, repository, cache, make_catalog):
    add(f"{repository.url}@main", lock)
    before = lock.read_text()
    make_catalog(repository.folder, version="1.5.0")
    repository.commit()
    shutil.rmtree(cache)
    with pytest.raises(CatalogProblem) as caught:
        resolve("ours/boot@1", lock.parent)
    assert "rallyflow catalog fetch ours" in caught.value.hint
    assert fetch(read_lock(lock)) == ["ours"]
    assert fetch(read_lock(lock)) == []
    assert lock.read_text() == before
    assert resolve("ours/boot@1", lock.parent).version == "1.4.2"
    with pytest.raises(UsageError, match="no catalog 'our'"):
        fetch(read_lock(lock), ["our"])


def test_a_cache_that_was_tampered_with_is_noticed_and_mended(lock, repository, cache):
    add(repository.url, lock)
    file = cache / pin_of(lock).commit / "boot.yaml"
    good = file.read_text()
    file.write_text(good.replace("noop", "shell"))
    with pytest.raises(CatalogProblem) as caught:
        resolve("ours/boot@1", lock.parent)
    assert caught.value.code == "RF0253"
    assert [check.problem.code for check in verify(read_lock(lock))] == ["RF0253"]
    assert [change.changed for change in update(lock, ())] == [False]
    assert file.read_text() == good
    resolve("ours/boot@1", lock.parent)
    assert len(list(cache.iterdir())) == 1


def test_a_pin_whose_commit_was_changed_by_hand_is_noticed(lock, repository, make_catalog):
    add(repository.url, lock)
    first = pin_of(lock).commit
    make_catalog(repository.folder, version="1.5.0")
    repository.commit()
    update(lock, ())
    lock.write_text(lock.read_text().replace(pin_of(lock).commit, first))
    with pytest.raises(CatalogProblem) as caught:
        resolve("ours/boot@1", lock.parent)
    assert caught.value.code == "RF0253"


@pytest.mark.parametrize("ref", ["no-such-branch", "0" * 40])
def test_a_branch_or_commit_that_is_not_there_is_named(lock, repository, cache, ref):
    with pytest.raises(CatalogProblem, match=f"has no branch, tag or commit '{ref}'"):
        add(f"{repository.url}@{ref}", lock)
    assert not lock.exists()
    assert list(cache.iterdir()) == []


def test_a_repository_that_is_not_there_is_named(lock, tmp_path):
    with pytest.raises(CatalogProblem, match="can't fetch from file://") as caught:
        add(f"git+file://{tmp_path}/gone", lock)
    assert caught.value.hint


def test_a_folder_that_the_repository_does_not_have_is_named(lock, repository):
    with pytest.raises(CatalogProblem, match="no folder 'gone'"):
        add(f"{repository.url}#gone", lock)


def test_a_folder_of_a_repository_that_leads_out_of_it_is_refused(lock, repository, tmp_path, make_catalog):
    make_catalog(tmp_path / "outside")
    (repository.folder / "link").symlink_to("../outside")
    (repository.folder / "absolute").symlink_to(tmp_path / "outside")
    repository.commit()
    with pytest.raises(CatalogProblem, match="leads out of it"):
        add(f"{repository.url}#absolute", lock)
    with pytest.raises(CatalogProblem):
        add(f"{repository.url}#link", lock)
    with pytest.raises(CatalogProblem, match="not a path inside"):
        add(f"{repository.url}#../outside", lock)


def test_without_git_its_absence_is_told_and_pinned_catalogs_still_work(lock, repository, monkeypatch, tmp_path):
    add(repository.url, lock)
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    with pytest.raises(CatalogProblem, match="git program is not installed"):
        update(lock, ())
    resolve("ours/boot@1", lock.parent)


def test_variables_that_git_sets_for_hooks_do_not_lead_astray(lock, repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    add(repository.url, lock)
    assert not (tmp_path / "index").exists()


def test_hooks_and_settings_of_the_person_do_not_change_what_is_fetched(lock, repository, monkeypatch, tmp_path):
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n  hooksPath = {hook.parent}\n  autocrlf = true\n[protocol]\n  allow = always\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    add(repository.url, lock)
    assert not (tmp_path / "ran").exists()
    assert resolve("ours/boot@1", lock.parent).sha256 == sha256_of(repository.folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_cache_that_can_not_be_written_is_named_for_a_person(lock, repository, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    with pytest.raises(StorageError, match="cache of catalogs can't be written"):
        add(repository.url, lock)


def test_a_cache_that_is_no_folder_is_named(lock, repository, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("")
    with pytest.raises(StorageError, match="cache of catalogs can't be written") as caught:
        add(repository.url, lock)
    assert "XDG_CACHE_HOME" in caught.value.hint
    assert not lock.exists()


def test_a_cache_that_can_only_be_read_serves_what_it_has(lock, repository, cache):
    add(repository.url, lock)
    folder = cache / pin_of(lock).commit
    for path in (*folder.rglob("*"), folder, cache):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        resolve("ours/boot@1", lock.parent)
    finally:
        for path in (cache, folder, folder / "inner", folder / "more", folder / "more" / "inner"):
            path.chmod(0o700)


ADD = """
import sys
from pathlib import Path
from rallyflow.catalogs.upkeep import add
add(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
"""


def test_many_can_add_at_a_time(lock, repository, cache):
    names = [f"c{number}" for number in range(4)]
    started = [subprocess.Popen([sys.executable, "-c", ADD, repository.url, lock, name]) for name in names]
    assert [process.wait(60) for process in started] == [0] * len(names)
    assert list(read_lock(lock).pins) == names
    assert [path.name for path in cache.iterdir()] == [pin_of(lock, "c0").commit]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("git+https://host/a/b", GitSource("https://host/a/b")),
        ("git+https://host/a/b.git@v1.0#x/y", GitSource("https://host/a/b.git", "v1.0", "x/y")),
        ("git+ssh://git@host/a/b", GitSource("ssh://git@host/a/b")),
        ("git+ssh://git@host/a/b@feature/x", GitSource("ssh://git@host/a/b", "feature/x")),
        ("git+https://person@host:8443/a", GitSource("https://person@host:8443/a")),
    ],
)
def test_the_address_of_a_repository_is_read_as_it_is_written(text, source):
    assert parse_source(text) == source
    assert str(source) == text


@pytest.mark.parametrize(
    "text",
    [
        "git+http://host/a",
        "git+ext::sh -c touch% /tmp/x",
        "git+/local/path",
        "git+git@host:a/b",
        "git+https://person:password@host/a",
        "git+ssh://-oProxyCommand=x/a",
        "git+https://host/a@--upload-pack=x",
        "git+https://host/a@x..y",
        "git+https://host/a?x=1",
        "git+https://host/a b",
        "git+https://host/a#/etc",
        "https://host/a",
        "",
    ],
)
def test_an_address_that_could_do_harm_is_refused(text):
    with pytest.raises(CatalogProblem) as caught:
        parse_source(text)
    assert caught.value.code == "RF0255"
    assert "password@" not in caught.value.what


def test_git_asks_nobody(monkeypatch):
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    environment = git._environment()
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in environment["GIT_SSH_COMMAND"]
