"""Containers that are stopped while they are copied: they run again afterwards, however that ends. LXC is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rallyflow.servers.providers.lxc.agent import containers, golden, host, layers
from rallyflow.servers.providers.lxc.agent.trouble import HostError

NAME = "rf-one"


class Lxc:
    """What is done with a container, and whether half a copy of it is there at that moment."""

    def __init__(self, images: Path) -> None:
        self.images = images
        self.runs = True
        self.done: list[str] = []
        self.breaks = False

    def book(self, what: str) -> None:
        self.done.append(what + (" beside half a copy" if list(self.images.glob(".golden-*.making")) else ""))

    def stop(self, _name: str) -> None:
        assert marked()
        self.book("stop")
        self.runs = False

    def start(self, *_: object, **__: object) -> None:
        if self.breaks:
            raise HostError("the container does not start")
        self.book("start")
        self.runs = True


@pytest.fixture
def images(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def lxc(images, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CONTAINERS", tmp_path / "containers")
    (host.CONTAINERS / NAME / "upper").mkdir(parents=True)
    host.write_json(host.CONTAINERS / NAME / "server.json", known(images))
    fake = Lxc(images)
    for name in ("start", "stop"):
        monkeypatch.setattr(containers, name, getattr(fake, name))
    monkeypatch.setattr(containers, "_state", lambda _name: "RUNNING" if fake.runs else "STOPPED")
    return fake


def known(images: Path) -> dict[str, Any]:
    about = {"name": NAME, "image": "", "images": str(images), "init": "minimal", "release": "bookworm"}
    return {**about, "complete": True, "host_key": "ssh-ed25519 AAAA"}


def marked() -> bool:
    about = host.read_json(host.CONTAINERS / NAME / "server.json") or {}
    return bool(about.get("start_again"))


def test_a_container_runs_again_before_half_a_copy_of_it_is_removed(images, lxc):
    (host.CONTAINERS / NAME / "upper").rmdir()  # so that it can't be copied
    with pytest.raises(HostError, match="cp"):
        golden._copied(known(images), str(images), "golden-1", 0)
    assert lxc.done == ["stop beside half a copy", "start beside half a copy"]
    assert not marked()
    assert not list(images.glob(".golden-*"))


def test_a_stop_that_is_cut_off_ends_in_a_start_as_well(lxc, monkeypatch):
    def cut_off(_name: str) -> None:
        lxc.runs = False
        raise SystemExit(143)

    monkeypatch.setattr(containers, "stop", cut_off)
    with pytest.raises(SystemExit), containers.at_rest(NAME, 0):
        pass
    assert lxc.runs
    assert not marked()


def be_killed_at_rest(lxc: Lxc) -> None:
    """Leave a container as a kill between two lines does."""
    lxc.breaks = True
    with pytest.raises(HostError), containers.at_rest(NAME, 0):
        pass
    lxc.breaks = False
    assert marked()
    assert not lxc.runs


def rest_again(images: Path) -> None:
    golden._copied(known(images), str(images), "golden-2", 0)


def restore(_images: Path) -> None:
    assert containers._restore(NAME, 0) == {"started": True}


def create(images: Path) -> None:
    assert containers._create(str(images), {"name": NAME, "image": ""}, {}, "", 0)["kept"]


@pytest.mark.parametrize("then", [rest_again, restore, create])
def test_who_comes_after_a_snapshot_that_was_killed_starts_the_container(images, lxc, then):
    be_killed_at_rest(lxc)
    then(images)
    assert lxc.runs
    assert not marked()


def test_a_container_that_somebody_had_stopped_stays_stopped(images, lxc):
    lxc.runs = False
    rest_again(images)
    assert lxc.done == []


def test_half_a_copy_of_a_killed_snapshot_goes_with_its_container_and_one_under_way_stays(images, lxc):
    lxc.runs = False
    for name in (".golden-dead.making", ".other.making"):
        (images / name / "rootfs").mkdir(parents=True)
    with layers.making(str(images), "golden-alive"):
        containers._delete(NAME)
        assert sorted(folder.name for folder in images.glob(".*.making")) == [".golden-alive.making", ".other.making"]
        (images / ".golden-alive.making" / "rootfs").mkdir()


ENDED_TWICE = """
import signal
from rallyflow.servers.providers.lxc.agent import entry
signal.signal(signal.SIGTERM, entry._end)
try:
    signal.raise_signal(signal.SIGTERM)
finally:
    signal.raise_signal(signal.SIGTERM)
    print("let go of")
"""


def test_a_second_wish_to_end_does_not_cut_off_what_the_first_one_has_begun():
    done = subprocess.run([sys.executable, "-c", ENDED_TWICE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "let go of\n")


def test_what_holds_a_lock_goes_on_when_we_are_to_end_and_nothing_else_does(tmp_path):
    before = signal.signal(signal.SIGUSR1, lambda *_: sys.exit(143))
    command = f"read -r go; kill -s USR1 {os.getpid()}; sleep 0.3; touch {tmp_path}"
    try:
        with pytest.raises(SystemExit):
            host.run("sh", "-c", f"{command}/alone", text="go\n")
        with host.locked("one", folder=tmp_path) as lock, pytest.raises(SystemExit):
            host.run("sh", "-c", f"{command}/holding", text="go\n", holding=lock)
    finally:
        signal.signal(signal.SIGUSR1, before)
    with host.locked("one", folder=tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["holding", "one.lock"]


SAID = "from rallyflow.servers.providers.lxc.agent import host; host.say('starting it again'); print('went on')"


def test_that_nobody_listens_any_more_stops_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", SAID], stdout=subprocess.PIPE, stderr=writer, text=True, check=False)
    os.close(writer)
    assert done.stdout == "went on\n"
