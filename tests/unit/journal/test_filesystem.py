from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rallyflow.cli import main
from rallyflow.journal import filesystem
from rallyflow.journal.filesystem import filesystem_of, network_filesystem
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /home rw,relatime shared:5 master:1 - nfs4 server:/export/home rw,vers=4.2,addr=10.0.0.1
41 40 254:1 / /home/local rw,relatime - xfs /dev/vdb rw
42 27 0:51 / /mnt/with\040a\040space\134 rw - cifs //server/share rw
43 27 0:52 / /mnt/ssh rw,nosuid - fuse.sshfs me@there:/ rw
44 27 0:53 / /mnt/covered rw - ext4 /dev/vdc rw
45 27 0:54 / /mnt/covered rw - 9p share rw
46 27 0:55 / /mnt/freed rw - ceph 10.0.0.1:/ rw
47 46 0:56 / /mnt/freed rw - tmpfs tmpfs rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/rallyflow", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/.rallyflow", "nfs4"),
        ("/home/local/me", "xfs"),
        ("/home/locally", "nfs4"),
        ("/homes/me", "ext4"),
        ("/mnt/with a space\\/x", "cifs"),
        ("/mnt/with", "ext4"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/mnt/covered/x", "9p"),
        ("/mnt/freed/x", "tmpfs"),
    ],
)
def test_the_nearest_mount_decides(path, kind):
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_nothing_is_known_without_mounts():
    assert filesystem_of(Path("/x"), "") == ""


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Make the kernel say that a folder is on a file system of some type."""

    def mount(kind):
        mounts = tmp_path / "mounts"
        mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / {tmp_path} rw - {kind} there rw\n")
        monkeypatch.setattr(filesystem, "_MOUNTS", mounts)

    return mount


@pytest.mark.parametrize(("kind", "network"), [("nfs", True), ("fuse.sshfs", True), ("xfs", False), ("overlay", False)])
def test_network_file_systems_are_known_also_behind_links_and_for_folders_to_come(mounted, tmp_path, kind, network):
    mounted(kind)
    link = Path(f"{tmp_path}-link")
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    assert network_filesystem(link / "not" / "yet") == (kind if network else "")


def modes(journal):
    return [journal.query(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]


@pytest.mark.parametrize("durable", [True, False])
def test_a_journal_on_a_network_file_system_has_no_write_ahead_log(mounted, tmp_path, durable):
    mounted("nfs4")
    journal = Journal(tmp_path / "journal.db", durable=durable)
    assert modes(journal) == ["delete", 2]
    journal.close()


def test_a_journal_with_a_write_ahead_log_loses_it_when_its_home_has_moved(mounted, tmp_path):
    mounted("ext4")
    journal = Journal(tmp_path / "journal.db")
    assert modes(journal) == ["wal", 2]
    journal.close()
    mounted("nfs4")
    journal = Journal(tmp_path / "journal.db")
    assert modes(journal) == ["delete", 2]
    journal.close()


def test_readers_of_a_journal_without_a_log_see_what_is_written_meanwhile(mounted, tmp_path):
    mounted("nfs4")
    writer = Journal(tmp_path / "journal.db")
    reader = Journal(tmp_path / "journal.db", write=False)
    assert JournalReader(reader, tmp_path).runs() == []
    with writer.transaction() as connection:
        connection.execute(
            "INSERT INTO run (id, name, state, workflow, created_ns, params, provenance) "
            "VALUES ('r', 'w', 'running', 'w.yaml', 1, '{}', '{}')"
        )
    assert [run.id for run in JournalReader(reader, tmp_path).runs()] == ["r"]
    reader.close()
    writer.close()


def test_a_run_says_once_that_its_home_is_on_a_network_file_system(mounted, tmp_path, monkeypatch, capsys):
    mounted("nfs4")
    monkeypatch.setenv("RALLYFLOW_HOME", str(tmp_path / "home"))
    file = tmp_path / "w.yaml"
    file.write_text("rallyflow: 1\nname: x\nsteps: {a: {uses: noop}}\n")
    assert main.run(["apply", str(file)]) == 0
    assert capsys.readouterr().err.count("is on a network file system (nfs4)") == 1
    with sqlite3.connect(tmp_path / "home" / "journal.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
