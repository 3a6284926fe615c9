"""A home on a real network file system: SSHFS, over a pair of sockets instead of a network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

SFTP = Path("/usr/lib/openssh/sftp-server")

pytestmark = pytest.mark.skipif(
    not (shutil.which("sshfs") and SFTP.exists() and os.access("/dev/fuse", os.W_OK)), reason="needs sshfs"
)

WORKFLOW = """
rallyflow: 1
name: far
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 20, concurrency: 4}}
"""


@pytest.fixture
def far(tmp_path):
    """A folder that is mounted from somewhere else."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    ours, theirs = socket.socketpair()
    server = subprocess.Popen([SFTP], stdin=ours, stdout=ours)
    mount = subprocess.Popen(["sshfs", "-f", "-o", "passive", f"x:{there}", here], stdin=theirs, stdout=theirs)
    ours.close()
    theirs.close()
    deadline = time.monotonic() + 20
    while not here.is_mount() and mount.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if not here.is_mount():
        server.kill()
        pytest.skip("this machine lets nobody mount")
    yield here
    subprocess.run(["fusermount3", "-uz", here], check=True)
    for process in (mount, server):
        process.kill()
        process.wait()


def test_a_run_works_on_a_network_file_system_and_says_so(cli, far):
    home = far / "home"
    done = cli.run("apply", cli.workflow(WORKFLOW), "--home", home)
    assert done.returncode == 0, done.stderr
    assert f"{home} is on a network file system (fuse.sshfs)" in done.stderr
    assert cli.json("sql", "SELECT count(*) AS n FROM iterations", "--home", home) == [{"n": 20}]
    assert cli.json("resources", "--home", home) == []
    assert not (home / "journal.db-wal").exists()


def test_a_killed_run_is_resumed_on_a_network_file_system(cli, far):
    cli.home = far / "home"
    process = cli.start("apply", cli.workflow(WORKFLOW))
    cli.until(process, "SELECT count(*) FROM part WHERE tbl = 'iterations'")
    cli.kill(process)
    cli.ok("resume")
    assert cli.json("sql", "SELECT count(DISTINCT iteration) AS n FROM iterations") == [{"n": 20}]
