"""Environments are made with the real venv and the real pip, from a package on this machine's disk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import threading
import zipfile
from dataclasses import replace

import pytest

from rallyflow.errors import VerifierUnbuilt
from rallyflow.model.values import Hop, Server
from rallyflow.verifiers.environment import Interrupted, environment
from rallyflow.verifiers.surroundings import ssh_config, surroundings


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def package(cache, monkeypatch):
    """A wheel that pip needs no index for."""
    monkeypatch.setenv("RALLYFLOW_CACHE", str(cache))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = cache / "tiny-1.2-py3-none-any.whl"
    meta = {
        "tiny.py": "",
        "tiny-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.2\n",
        "tiny-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny-1.2.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in meta.items():
            file.writestr(name, text)
    return str(wheel)


def test_an_environment_is_made_once_and_made_anew_when_it_was_cut_off(package, context, caplog):
    caplog.set_level("INFO")
    made = environment("tiny", (package,), context)
    assert made.packages["tiny"] == "1.2"
    assert os.access(made.program("python"), os.X_OK)
    caplog.clear()
    assert environment("tiny", (package,), context) == made
    assert not caplog.records  # nothing was installed
    (made.path / "rallyflow.json").write_text("{")  # as a kill, or a full disk, may leave it
    (made.path / "bin" / "python").unlink()
    assert environment("tiny", (package,), context) == made


@pytest.mark.slow
def test_a_package_that_is_not_there_says_what_pip_says_and_leaves_nothing(package, context, cache):
    del package
    with pytest.raises(VerifierUnbuilt, match="no-such-package-here"):
        environment("tiny", ("no-such-package-here==1",), context)
    assert not [path for path in cache.glob("verifiers/*") if path.is_dir() and not (path / "rallyflow.json").exists()]


def test_who_finds_another_building_waits_and_can_be_stopped(package, context):
    made = environment("tiny", (package,), context)
    notes = []
    with made.path.with_name(f"{made.path.name}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stop = threading.Event()

        def report(progress):
            notes.append(progress.note)
            stop.set()

        with pytest.raises(Interrupted):
            environment("tiny", (package,), replace(context, stop=stop, report=report))
    assert "another run" in notes[0]


def test_tests_are_told_of_cloud_and_servers(tmp_path, context, cloud):
    servers = (
        Server(name="a", host="10.0.0.1", key_file=tmp_path / "my key", known_hosts=tmp_path / "known"),
        Server(name="b", host="10.0.0.2", port=2222, user="deb", jump=(Hop(host="gate", user="me"), Hop(host="inner"))),
        Server(name="here", host="localhost", connection="local"),
    )
    env = surroundings(cloud, servers, tmp_path, context)
    assert (env["OS_CLOUD"], env["OS_CLIENT_CONFIG_FILE"]) == ("test", str(cloud.clouds_yaml))
    assert [each["name"] for each in json.loads(env["RALLYFLOW_SERVERS"])] == ["a", "b", "here"]
    assert (tmp_path / "ssh_config").stat().st_mode & 0o077 == 0
    text = ssh_config(servers)
    assert f'  IdentityFile "{tmp_path}/my key"' in text
    assert "Host b-jump-2\n  HostName inner\n  Port 22\n  User root\n" in text
    assert text.count("ProxyJump b-jump-1") == 1
    assert text.count("ProxyJump b-jump-2") == 1
    assert "Host here" not in text
    assert text.count("StrictHostKeyChecking yes") == 4


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH")
def test_openssh_takes_the_config(tmp_path, context):
    servers = (Server(name="b", host="10.0.0.2", port=2222, user="deb", jump=(Hop(host="gate", user="me"),)),)
    surroundings(None, servers, tmp_path, context)
    shown = subprocess.run(
        ["ssh", "-G", "-F", tmp_path / "ssh_config", "b"], capture_output=True, text=True, check=True
    ).stdout
    assert {"hostname 10.0.0.2", "port 2222", "user deb", "proxyjump b-jump-1"} <= set(shown.splitlines())
