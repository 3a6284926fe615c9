"""Files to and from a server, with and without SFTP: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.errors import TransferFailed
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.servers.transfer import download, upload

LOCAL = Server(name="here", host="127.0.0.1", connection="local", user="")


@pytest.fixture(scope="module")
def no_sftp(sshd_in, tmp_path_factory):
    return sshd_in(tmp_path_factory.mktemp("no-sftp"), "Subsystem sftp /bin/false")


@pytest.fixture(params=["sftp", "no sftp", "local"])
def machine(request):
    names = {"sftp": "sshd", "no sftp": "no_sftp"}
    server = request.getfixturevalue(names[request.param]).server() if request.param in names else LOCAL
    with Machine(server) as made:
        yield made


@pytest.fixture
def there(tmp_path):
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    return folder


def test_a_file_goes_there_and_comes_back_as_it_was(machine, tmp_path, there):
    content = bytes(range(256)) * 5_000
    (tmp_path / "in").write_bytes(content)
    (tmp_path / "in").chmod(0o751)
    upload(machine, tmp_path / "in", str(there / "it's"))
    assert (there / "it's").read_bytes() == content
    assert (there / "it's").stat().st_mode & 0o777 == 0o751
    download(machine, str(there / "it's"), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == content


def test_a_name_may_be_as_long_as_the_file_system_allows(machine, tmp_path, there):
    name = "é" * 127  # 254 bytes
    (tmp_path / "in").write_text("x")
    upload(machine, tmp_path / "in", str(there / name))
    download(machine, str(there / name), tmp_path / name)
    assert (tmp_path / name).read_text() == "x"


def test_an_upload_replaces_a_file_and_sets_the_mode_that_is_asked_for(machine, tmp_path, there):
    (there / "x").write_text("old")
    (tmp_path / "in").write_text("new")
    upload(machine, tmp_path / "in", str(there / "x"), mode=0o600)
    assert (there / "x").read_text() == "new"
    assert (there / "x").stat().st_mode & 0o777 == 0o600


def test_what_can_not_be_copied_says_which_file_and_leaves_nothing(machine, tmp_path, there):
    (tmp_path / "in").write_text("x")
    with pytest.raises(TransferFailed, match="nowhere"):
        upload(machine, tmp_path / "in", str(there / "nowhere" / "x"))
    with pytest.raises(TransferFailed, match="a folder's name"):
        upload(machine, tmp_path / "in", str(there))
    with pytest.raises(TransferFailed, match="missing"):
        download(machine, str(there / "missing"), tmp_path / "out")
    with pytest.raises(TransferFailed, match="missing"):
        upload(machine, tmp_path / "missing", str(there / "x"))
    with pytest.raises(TransferFailed, match="no-folder"):
        download(machine, "/etc/passwd", tmp_path / "no-folder" / "out")
    assert list(there.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name or path.name == "out"] == []


@pytest.mark.parametrize("target", ["/", ".", "", "..", "/x/..", "folder"])
def test_a_folder_can_not_be_the_target_and_that_is_said(machine, tmp_path, monkeypatch, target):
    (tmp_path / "in").write_text("x")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    if target != "folder":  # a relative one is the server's, and stands in the home there
        with pytest.raises(TransferFailed, match="is a folder"):
            upload(machine, tmp_path / "in", target)
    with pytest.raises(TransferFailed, match=r"[Ii]s a (folder|directory)"):
        download(machine, str(tmp_path / "in"), Path(target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "in"]


def test_nobody_else_can_read_a_file_while_it_is_sent(sshd, tmp_path, there):
    (tmp_path / "in").write_bytes(b"n" * 1_000_000)
    seen = []

    def look():
        seen.extend(path.stat().st_mode & 0o077 for path in there.iterdir())
        return False

    with Machine(sshd.server(), stopped=look) as machine:
        upload(machine, tmp_path / "in", str(there / "x"), mode=0o600)
    assert set(seen) == {0}
    assert [(path.name, path.stat().st_mode & 0o777) for path in there.iterdir()] == [("x", 0o600)]


def test_a_transfer_that_is_stopped_leaves_the_old_file(machine, tmp_path, there):
    (there / "x").write_text("old")
    (tmp_path / "in").write_bytes(b"n" * 1_000_000)
    machine.stopped = lambda: True
    with pytest.raises(StoppedError):
        upload(machine, tmp_path / "in", str(there / "x"))
    assert [(path.name, path.read_text()) for path in there.iterdir()] == [("x", "old")]
