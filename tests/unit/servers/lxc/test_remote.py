"""Calls of the agent, as a process of its own that has nothing of rallyflow installed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rallyflow.errors import ContainerFailed, HostUnfit, ImageInUse, ImageUnknown, InternalError, TransientError
from rallyflow.model.ids import RunId
from rallyflow.model.records import Resource
from rallyflow.model.states import ResourceState
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine, Order
from rallyflow.servers.providers.lxc.hosts import unfit
from rallyflow.servers.providers.lxc.remote import Agent
from rallyflow.servers.providers.lxc.resources import LxcObjects

HERE = Server(name="here", host="127.0.0.1", connection="local", user="")


class Unprivileged(Machine):
    """This machine, without root's rights: what is called here needs none."""

    path = ""

    def stream(self, order: Order, sinks, *, source=None, size: int = 0) -> int:
        run = (
            order.run.replace("PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH", f"PATH={self.path}")
            if self.path
            else order.run
        )
        return super().stream(Order(run, timeout=order.timeout), sinks, source=source, size=size)


@pytest.fixture
def agent(tmp_path):
    with Unprivileged(HERE) as machine:
        yield Agent(machine, str(tmp_path / "images"))


def test_a_call_gives_what_the_function_returns(agent, tmp_path):
    (tmp_path / "images" / "names").mkdir(parents=True)
    (tmp_path / "images" / "names" / "golden").symlink_to("../abc")
    assert agent.call("layers.named", images=agent.images) == {"golden": "abc"}
    assert agent.call("layers.find", images=agent.images, digest="abc") is None


def test_what_is_said_on_a_host_is_logged_line_by_line(tmp_path):
    lines: list[str] = []
    with Unprivileged(HERE) as machine:
        Agent(machine, str(tmp_path), lines.append).call("host.say", line="building")
    assert lines == ["building"]


class Chatty(Unprivileged):
    """A machine whose shells greet, as ~/.bashrc can make them."""

    def stream(self, order: Order, sinks, *, source=None, size: int = 0) -> int:
        greeting = Order(f"echo Welcome; {order.run}", timeout=order.timeout)
        return super().stream(greeting, sinks, source=source, size=size)


def test_what_a_shell_prints_first_is_no_part_of_an_answer(tmp_path):
    with Chatty(HERE) as machine:
        assert Agent(machine, str(tmp_path)).call("layers.named", images=str(tmp_path)) == {}


@pytest.mark.parametrize("answer", [b"", b"Welcome\n", b'{"value": 1'])
def test_an_answer_that_is_none_is_an_error_of_the_host(agent, answer):
    with pytest.raises(ContainerFailed, match="no answer"):
        agent._read(bytearray(answer))


@pytest.mark.parametrize(
    ("do", "given", "kind"),
    [
        ("layers.packages", {"word": "none"}, ImageUnknown),
        ("layers.packages", {"word": "../etc"}, ContainerFailed),
        ("layers.packages", {"no_such_argument": 1}, InternalError),
    ],
)
def test_what_goes_wrong_on_a_host_is_an_error_of_ours_that_names_it(agent, do, given, kind):
    with pytest.raises(kind):
        agent.call(do, images=agent.images, **given)


def test_the_kinds_of_errors_are_told_apart(agent):
    assert isinstance(agent.failure({"what": "x", "hint": "y", "kind": "used"}), ImageInUse)
    error = agent.failure({"what": "no space left", "hint": "", "kind": "permanent"})
    assert isinstance(error, ContainerFailed)
    assert error.what == "server here: no space left"


@pytest.mark.parametrize(("name", "number", "hint"), [("KILL", 9, "dmesg"), ("USR1", 10, "")])
def test_an_agent_that_a_signal_has_ended_may_be_tried_again(agent, name, number, hint):
    with pytest.raises(TransientError, match=f"signal {number} .SIG{name}") as caught:
        agent.call("host.first_line", words=["sh", "-c", f"kill -s {name} $PPID; sleep 60"])
    assert hint in caught.value.hint
    assert "server here" in caught.value.what


def test_a_layer_comes_as_the_input_after_the_call(agent):
    import tarfile

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in (("rootfs/etc/hostname", b"one\n"), ("versions", b"bash 5.2\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    size = made.tell()
    made.seek(0)
    about = {"digest": "abc", "parent": "", "release": "bookworm", "size": 0, "made": 0}
    agent.call("building.unpack", stream=made, size=size, images=agent.images, digest="abc", about=about)
    (found,) = agent.call("layers.find", images=agent.images, digest="abc")
    assert found["release"] == "bookworm"
    assert Path(agent.images, "abc/rootfs/etc/hostname").read_text() == "one\n"
    assert agent.call("layers.packages", images=agent.images, word="abc") == {"bash": "5.2"}


def test_a_layer_that_was_cut_off_is_none(agent):
    with pytest.raises(TransientError, match="unpacked"):
        agent.call(
            "building.unpack",
            stream=io.BytesIO(b"no tar file"),
            size=11,
            images=agent.images,
            digest="abc",
            about={"parent": ""},
        )
    assert agent.call("layers.find", images=agent.images, digest="abc") is None


def test_a_host_without_python_is_unfit(agent, monkeypatch, tmp_path):
    monkeypatch.setattr(Unprivileged, "path", str(tmp_path))
    with pytest.raises(HostUnfit, match="python3"):
        agent.call("layers.named", images=agent.images)


def test_one_error_names_all_that_a_host_lacks_and_one_line_installs_it():
    error = unfit(
        "server one",
        [
            {"what": "there is no program lxc-start", "hint": "", "package": "lxc"},
            {"what": "there is no program nft", "hint": "", "package": "nftables"},
            {"what": "no overlay", "hint": "modprobe overlay"},
        ],
    )
    assert error.what == "server one: there is no program lxc-start; there is no program nft; no overlay"
    assert error.hint == "apt-get install --no-install-recommends lxc nftables (or `install: true`); modprobe overlay"


def test_a_row_that_does_not_say_where_its_object_is_cannot_be_removed():
    row = Resource(1, RunId("r"), "s", 1, "lxc.server", "rf-x", ResourceState.CREATED)
    with pytest.raises(ContainerFailed, match="rf-x"):
        LxcObjects().delete(row)
