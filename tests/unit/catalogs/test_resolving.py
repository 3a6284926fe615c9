"""What `uses: CATALOG/WORKFLOW@VERSION` leads to, and what is said when it leads nowhere."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rallyflow import __version__
from rallyflow.catalogs import CatalogProblem, is_catalog_reference, resolve, sources
from rallyflow.catalogs.builtin import PATH
from rallyflow.catalogs.content import sha256_of
from rallyflow.catalogs.locking import find_lock, read_lock
from rallyflow.catalogs.upkeep import add, update, verify
from rallyflow.catalogs.versions import Version, shortest
from rallyflow.errors import Exit, UsageError, WorkflowInvalid


def lock_of(folder):
    return folder / "catalog.lock"


def refused(code, uses, base):
    with pytest.raises(CatalogProblem) as caught:
        resolve(uses, base)
    assert caught.value.code == code, caught.value.what
    assert caught.value.exit_code is Exit.INVALID
    return f"{caught.value.what} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("uses", "is_one"),
    [
        ("ours/boot@1", True),
        ("ours/boot@", True),
        ("ours/a/b@1", True),
        ("./ours/boot@1.yaml", False),
        ("../boot@1", False),
        ("/x/boot@1", False),
        ("deploy/embedded", False),
        ("user@host/x", False),
        ("noop", False),
    ],
)
def test_a_reference_is_known_by_an_at_behind_a_slash(uses, is_one):
    assert is_catalog_reference(uses) is is_one


def test_a_pinned_catalog_is_found_from_its_folder_and_below(here, catalog):
    add("../shared", lock_of(here))
    below = here / "a" / "b"
    below.mkdir(parents=True)
    for base in (here, below):
        located = resolve("ours/boot@1", base)
        assert located.path == here / "../shared/boot.yaml"
        assert (located.catalog, located.version, located.name) == ("ours", "1.4.2", "ours/boot@1.4.2")
        assert located.sha256 == sha256_of(catalog)
        assert located.root.samefile(catalog)
    assert resolve("ours/deep@v1.4.2", here).path.read_text() == (catalog / "inner" / "deep.yaml").read_text()


def test_the_nearest_lock_wins(here, catalog, tmp_path):
    inner = here / "inner"
    inner.mkdir()
    add("../shared", lock_of(here))
    add(str(catalog), lock_of(inner), "mine")
    assert resolve("mine/boot@1", inner).catalog == "mine"
    assert "did you mean 'mine'" not in refused("RF0250", "ours/boot@1", inner)
    assert find_lock(tmp_path) is None or not find_lock(tmp_path).folder.is_relative_to(tmp_path)


def test_what_the_nearest_lock_does_not_pin_is_found_in_that_of_the_run(here, catalog, make_catalog, tmp_path):
    other = make_catalog(tmp_path / "elsewhere" / "other", name="other")
    add(str(catalog), lock_of(here))
    add(str(other), lock_of(here))
    refused("RF0250", "ours/boot@1", other)
    assert resolve("ours/boot@1", other, root=here).root == catalog
    make_catalog(other / "own", version="3.0.0")
    add(str(other / "own"), lock_of(other))
    assert resolve("ours/boot@3", other, root=here).version == "3.0.0"


@pytest.mark.parametrize("wanted", ["1", "1.4", "1.4.2", "v1", "v1.4.2"])
def test_a_version_fits_by_its_first_parts(wanted):
    assert Version.parse("1.4.2+build.5").fits(wanted)


@pytest.mark.parametrize("wanted", ["2", "1.3", "1.4.1", "1.4.20", "1.4.2-rc.1", "0"])
def test_another_version_does_not_fit(wanted):
    assert not Version.parse("1.4.2").fits(wanted)


def test_a_version_that_is_not_out_has_to_be_named_whole():
    version = Version.parse("1.0.0-rc.1")
    assert not version.fits("1")
    assert not version.fits("1.0.0")
    assert version.fits("1.0.0-rc.1")
    assert shortest("1.0.0-rc.1") == "1.0.0-rc.1"
    assert shortest("1.2.3") == "1"


@pytest.mark.parametrize("text", ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3.4", "", "x", "1.2.3-", "\u0661.\u0662.\u0663"])
def test_what_is_no_semantic_version_is_refused(text):
    with pytest.raises(ValueError, match="semantic version"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("uses", "code", "told"),
    [
        ("our/boot@1", "RF0250", "did you mean 'ours'?"),
        ("ours/bot@1", "RF0251", "did you mean 'boot'?"),
        ("ours/boot@2", "RF0252", "version 1.4.2, which is not 2"),
        ("ours/boot@latest", "RF0252", "'latest' is not a version such as 1, 1.2 or 1.2.0"),
        ("ours/boot@1.4.2.0", "RF0252", "is not a version"),
        ("ours/boot@", "RF0250", "CATALOG/WORKFLOW@VERSION"),
        ("ours/../boot@1", "RF0250", "CATALOG/WORKFLOW@VERSION"),
        ("ours/inner/deep@1", "RF0250", "CATALOG/WORKFLOW@VERSION"),
        ("ours/boot@1\n", "RF0250", "CATALOG/WORKFLOW@VERSION"),
    ],
)
def test_what_can_not_be_found_says_what_there_is(here, catalog, uses, code, told):
    add(str(catalog), lock_of(here))
    assert told in refused(code, uses, here)


@pytest.mark.parametrize("change", ["content", "more", "less", "name", "mode"])
def test_content_that_changed_since_it_was_pinned_is_not_used(here, catalog, change):
    add(str(catalog), lock_of(here))
    deep = catalog / "inner" / "deep.yaml"
    match change:
        case "content":
            deep.write_text(deep.read_text() + "\n")
        case "more":
            (catalog / "extra.txt").touch()
        case "less":
            (catalog / "empty.txt").touch()
            update(lock_of(here), ())
            (catalog / "empty.txt").unlink()
        case "name":
            (catalog / "inner").rename(catalog / "outer")
            (catalog / "catalog.yaml").write_text((catalog / "catalog.yaml").read_text().replace("inner/", "outer/"))
        case "mode":
            deep.unlink()
            deep.symlink_to(catalog / "boot.yaml")
    assert "catalog update ours" in refused("RF0253", "ours/boot@1", here)
    update(lock_of(here), ["ours"])
    assert resolve("ours/boot@1", here).sha256 == sha256_of(catalog)


def test_what_running_leaves_in_a_folder_is_no_content(here, catalog):
    add(str(catalog), lock_of(here))
    for name in (".git/HEAD", "__pycache__/a.pyc", "b.pyc", "inner/.rallyflow/journal.db"):
        (catalog / name).parent.mkdir(parents=True, exist_ok=True)
        (catalog / name).write_text("x")
    resolve("ours/boot@1", here)


def test_a_catalog_can_stand_beside_its_own_lock(here, make_catalog):
    make_catalog(here)
    add(".", lock_of(here))
    assert resolve("ours/boot@1", here).path == here / "boot.yaml"
    assert read_lock(lock_of(here)).pins["ours"].source == "./."


def test_the_checksum_depends_on_names_and_contents_alone(tmp_path, catalog):
    copy = tmp_path / "copy"
    shutil.copytree(catalog, copy)
    os.utime(copy / "boot.yaml", (1, 1))
    assert sha256_of(copy) == sha256_of(catalog)
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, files in ((one, {"a": "bc", "d": ""}), (two, {"a": "b", "cd": ""})):
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
    assert sha256_of(one) != sha256_of(two)


def test_links_that_lead_out_and_things_that_are_no_files_are_refused(here, catalog, tmp_path):
    (tmp_path / "outside.yaml").write_text("x")
    for name, target in {
        "file": "../outside.yaml",
        "folder": "..",
        "absolute": "/etc/hostname",
        "self": "self",
    }.items():
        link = catalog / name
        link.symlink_to(target)
        with pytest.raises(CatalogProblem, match="leads out of the catalog's folder"):
            add(str(catalog), lock_of(here))
        link.unlink()
    os.mkfifo(catalog / "pipe")
    with pytest.raises(CatalogProblem, match="neither a file nor a folder"):
        add(str(catalog), lock_of(here))
    assert not lock_of(here).exists()


def test_links_inside_of_a_catalog_are_content(here, catalog):
    (catalog / "again.yaml").symlink_to("boot.yaml")
    (catalog / "folder").symlink_to("inner")
    add(str(catalog), lock_of(here))
    (catalog / "again.yaml").unlink()
    (catalog / "again.yaml").symlink_to("inner/deep.yaml")
    refused("RF0253", "ours/boot@1", here)


@pytest.mark.parametrize(
    ("catalog_yaml", "told"),
    [
        (
            "name: ours\nversion: 1.0.0\nworkflows: {a: {file: ../a.yaml}}\n",
            "3:23: workflows.a.file: '../a.yaml' is not",
        ),
        ("name: ours\nversion: 1.0.0\nworkflows: {a: {file: /etc/passwd}}\n", "is not a path inside"),
        ("name: ours\nversion: 1.0.0\nworkflows: [x/../../a.yaml]\n", "is not a path inside"),
        ("name: ours\nversion: 1.0\nworkflows: [a.yaml]\n", "2:10: version: "),
        ("name: ours\nversion: '1.0'\nworkflows: [a.yaml]\n", "not a semantic version"),
        ("name: a/b\nversion: 1.0.0\nworkflows: [a.yaml]\n", "1:7: name: "),
        ("name: ours\nversion: 1.0.0\nworkflows: {}\n", "workflows"),
        ("name: ours\nversion: 1.0.0\nworkflows: [a.yaml, b/a.yaml]\n", "two files have one name"),
        ("name: ours\nversion: 1.0.0\nworkflow: [a.yaml]\n", "3:1: unknown key 'workflow'"),
        ("name: ours\nversion: 1.0.0\nname: x\n", "3:1: the key 'name' is here twice"),
        ("name: ours\nversion: 1.0.0\nworkflows: [gone.yaml]\n", "the file of the workflow 'gone' is not there"),
        ("name: ours\nversion: 1.0.0\nworkflows: [boot.yaml]\nrequirements: {rallyflow: new}\n", "not a condition"),
        (
            "name: ours\nversion: 1.0.0\nworkflows: [boot.yaml]\nrequirements: {packages: ['=1']}\n",
            "not name a package",
        ),
        ("{", "catalog.yaml:1:1: "),
        ("- a\n", "1:1"),
        ("", "catalog.yaml"),
    ],
)
def test_mistakes_in_a_catalog_are_told_with_their_place(here, catalog, catalog_yaml, told):
    add(str(catalog), lock_of(here))
    (catalog / "catalog.yaml").write_text(catalog_yaml)
    assert told in refused("RF0255", "ours/boot@1", here)
    with pytest.raises(CatalogProblem):
        update(lock_of(here), ())


def test_the_short_form_names_workflows_after_their_files(here, catalog):
    (catalog / "catalog.yaml").write_text("name: ours\nversion: 1.0.0\nworkflows: [boot.yaml, inner/deep.yaml]\n")
    add(str(catalog), lock_of(here))
    assert resolve("ours/deep@1", here).path.name == "deep.yaml"


def test_a_file_of_a_catalog_that_is_a_link_to_the_outside_is_refused(here, catalog, tmp_path):
    (tmp_path / "outside.yaml").write_text("x")
    add(str(catalog), lock_of(here))
    (catalog / "boot.yaml").unlink()
    (catalog / "boot.yaml").symlink_to("../outside.yaml")
    refused("RF0255", "ours/boot@1", here)


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        ("version: 2\ncatalogs: {}\n", "1:10: version"),
        ("version: 1\ncatalogs: {a: {source: ./x, version: 1.0.0, sha256: abc}}\n", "sha256"),
        ("version: 1\ncatalogs: {a: {source: ./x}}\n", "is missing (and 1 more)"),
        ("version: 1\ncatalog: {}\n", "unknown key 'catalog'"),
        ("<<<<<<< HEAD\n", "catalog.lock:1:"),
    ],
)
def test_mistakes_in_a_lock_are_told_with_their_place(here, lock, told):
    lock_of(here).write_text(lock)
    assert told in refused("RF0255", "a/boot@1", here)
    with pytest.raises(WorkflowInvalid):
        read_lock(lock_of(here))


@pytest.mark.parametrize(
    "source", ["git+https://u:p@host/x", "git+ftp://host/x", "https://host/x", "", "git+file:///x#../y"]
)
def test_a_lock_with_a_source_that_is_none_is_refused(here, source):
    lock_of(here).write_text(
        f"version: 1\ncatalogs: {{a: {{source: '{source}', version: 1.0.0, sha256: {'0' * 64}}}}}\n"
    )
    refused("RF0255", "a/boot@1", here)


def test_a_folder_that_is_gone_is_named(here, catalog):
    add(str(catalog), lock_of(here))
    shutil.rmtree(catalog)
    assert str(catalog) in refused("RF0250", "ours/boot@1", here)


@pytest.mark.parametrize(
    ("requirements", "told"),
    [
        ("{rallyflow: '>=99'}", f"rallyflow >=99 (this is {__version__})"),
        ("{packages: ['no-such-package>=1']}", "the package no-such-package>=1 (not installed)"),
        ("{packages: ['pydantic<1']}", "the package pydantic<1 (installed is "),
        ("{plugins: [provision/cloud9]}", "the plugin provision/cloud9 (not installed)"),
    ],
)
def test_what_a_catalog_needs_and_is_not_installed_is_named(here, catalog, requirements, told, make_catalog):
    make_catalog(catalog, more=f"requirements: {requirements}\n")
    add(str(catalog), lock_of(here))
    assert told in refused("RF0254", "ours/boot@1", here)
    (check,) = verify(read_lock(lock_of(here)))
    assert check.problem.code == "RF0254"


def test_what_a_catalog_needs_and_is_installed_is_fine(here, catalog, make_catalog):
    needs = "{rallyflow: '>=0.1', packages: ['pydantic>=2', 'x>1; python_version < \"3\"'], plugins: [deploy/embedded]}"
    make_catalog(catalog, more=f"requirements: {needs}\n")
    add(str(catalog), lock_of(here))
    resolve("ours/boot@1", here)


def test_the_workflows_that_ship_are_the_catalog_rallyflow(here):
    located = resolve("rallyflow/quickstart@1", here)
    assert located.path == PATH / "quickstart.yaml"
    assert located.path.is_file()


def test_every_workflow_that_ships_is_in_the_catalog(here):
    from rallyflow.catalogs.reading import read_catalog

    listed = {workflow.file for workflow in read_catalog(PATH).workflows.values()}
    assert listed == {path.name for path in PATH.glob("*.yaml")} - {"catalog.yaml"}
    for name in read_catalog(PATH).workflows:
        resolve(f"rallyflow/{name}@1", here)


def _by_name(entries):
    return {each.name: [entry for entry in entries if entry.name == each.name] for each in entries}


@pytest.fixture
def package(tmp_path, monkeypatch, make_catalog):
    """A package on the path with a catalog, and the entry points of what is installed."""
    make_catalog(tmp_path / "site" / "their_package")
    (tmp_path / "site" / "their_package" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    entries = [EntryPoint("theirs", "their_package", sources.GROUP)]
    monkeypatch.setattr(sources, "installed", lambda: _by_name(entries))
    yield entries
    sys.modules.pop("their_package", None)


@pytest.mark.usefixtures("package")
def test_the_catalog_of_an_installed_package_needs_no_lock(here, tmp_path):
    located = resolve("theirs/boot@1", here)
    assert located.path == tmp_path / "site" / "their_package" / "boot.yaml"
    assert located.version == "1.4.2"


@pytest.mark.usefixtures("package")
def test_the_catalog_of_an_installed_package_can_be_pinned(here, tmp_path):
    assert add("package:theirs", lock_of(here), "theirs")[0] == "theirs"
    assert resolve("theirs/boot@1", here).catalog == "theirs"
    (tmp_path / "site" / "their_package" / "boot.yaml").write_text("changed")
    assert "pinned" in refused("RF0253", "theirs/boot@1", here)


def test_two_installed_catalogs_of_one_name_are_refused(here, package):
    package.append(EntryPoint("theirs", "other_package", sources.GROUP))
    told = refused("RF0255", "theirs/boot@1", here)
    assert "other_package and their_package" in told
    assert "--name" in told
    add("package:their_package", lock_of(here), "one-of-them")
    resolve("one-of-them/boot@1", here)


def test_a_package_that_is_broken_or_has_no_catalog_is_named(here, package):
    package[0] = EntryPoint("theirs", "no_such_module", sources.GROUP)
    assert "can't be loaded" in refused("RF0255", "theirs/boot@1", here)
    package[0] = EntryPoint("theirs", "json", sources.GROUP)
    assert "has no catalog.yaml" in refused("RF0250", "theirs/boot@1", here)
    with pytest.raises(CatalogProblem, match="no installed package 'there'"):
        add("package:there", lock_of(here))


def test_a_catalog_is_not_added_under_a_name_that_is_taken(here, catalog, tmp_path, make_catalog):
    add(str(catalog), lock_of(here))
    before = lock_of(here).read_bytes()
    make_catalog(tmp_path / "other")
    with pytest.raises(UsageError, match="pinned already"):
        add("../other", lock_of(here))
    assert lock_of(here).read_bytes() == before
    assert add("../other", lock_of(here), "another")[0] == "another"
    make_catalog(tmp_path / "third", name="rallyflow")
    with pytest.raises(UsageError, match="an installed package has a catalog 'rallyflow'"):
        add("../third", lock_of(here))


def test_an_update_names_what_is_not_pinned(here, catalog):
    add(str(catalog), lock_of(here))
    with pytest.raises(UsageError, match="no catalog 'our' is pinned") as caught:
        update(lock_of(here), ["our"])
    assert "did you mean 'ours'" in caught.value.hint
    assert [change.changed for change in update(lock_of(here), [])] == [False]


@pytest.mark.usefixtures("catalog")
def test_a_lock_says_what_it_is_and_is_written_whole(here):
    add("../shared", lock_of(here))
    text = lock_of(here).read_text()
    assert text.startswith("# The catalogs that workflows")
    assert "source: ../shared" in text
    assert [path.name for path in here.iterdir()] == ["catalog.lock"]
    assert Path(read_lock(lock_of(here)).pins["ours"].source) == Path("../shared")
