"""In which order things are booked and made, with hosts that answer as told."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rallyflow.errors import ContainerFailed, NetworkTaken, SudoRefused
from rallyflow.model.ids import RunId, Tag
from rallyflow.model.values import Server
from rallyflow.servers.providers.lxc import images, keys
from rallyflow.servers.providers.lxc.hosts import Ready
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.making import Making

TAG = str(Tag(RunId("20261126-024450-abcde"), "0123456789"))


@dataclass
class Book:
    """What happened, in its order: in the ledger and on the hosts."""

    rows: list[Any] = field(default_factory=list)
    events: list[tuple[str, ...]] = field(default_factory=list)

    def intend(self, kind: str, name: str, *, inside: int = 0, detail: Any = None) -> int:
        self.events.append(("intend", kind, name))
        self.rows.append(SimpleNamespace(id=len(self.rows) + 1, kind=kind, name=name, inside=inside, detail=detail))
        return len(self.rows)

    def created(self, row: int, external_id: str, *, detail: Any = None) -> None:
        del external_id, detail
        self.events.append(("created", self.rows[row - 1].kind, self.rows[row - 1].name))

    def open(self) -> list[Any]:
        return list(self.rows)


class Host:
    """An agent on a host where some networks are taken and some containers can't be made."""

    images = "/images"
    is_local = False

    def __init__(self, book: Book, server: Server, taken: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> None:
        self.machine = SimpleNamespace(server=server, whose=f"server {server.name}", stopped=lambda: False)
        self.book, self.taken, self.broken = book, taken, broken
        self.network: dict[str, Any] | None = None

    def call(self, do: str, **given: Any) -> Any:
        self.book.events.append(("call", do, self.machine.server.name))
        if do == "networks.restore":
            return self.network
        if do == "networks.create":
            if given["network"]["cidr"] in self.taken:
                raise NetworkTaken("taken")
            self.network = {**given["network"], "mtu": 1500, "forward": []}
            return self.network
        assert do == "containers.create"
        self.servers = given["servers"]
        return {
            server["name"]: {"error": {"what": "no", "hint": "", "kind": "permanent"}}
            if server["hostname"] in self.broken
            else {"host_key": given["keys"][server["name"]]["public"]}
            for server in given["servers"]
        }

    def failure(self, error: dict[str, str]) -> ContainerFailed:
        return ContainerFailed(error["what"])


@pytest.fixture
def made(tmp_path: Path):
    def make(inputs: LxcInputs, hosts: list[Host], book: Book) -> tuple[Server, ...]:
        context: Any = SimpleNamespace(
            ledger=book, tag=TAG, artifacts=tmp_path, directory=tmp_path, log=getLogger("test")
        )
        ready = [Ready(each, [{"digest": "d", "release": "bookworm", "init": "minimal"}], ()) for each in hosts]
        return Making(inputs, context, ready).all()

    return make


def outer(name: str, number: int, **more: Any) -> Server:
    return Server(name=name, host=f"10.9.9.{number}", **more)


def test_each_object_is_booked_before_its_host_is_called_and_again_after(made):
    book = Book()
    servers = made(LxcInputs(count=2), [Host(book, outer("h", 1, connection="local"))], book)
    what = [event[:2] for event in book.events]
    assert what == [
        ("intend", "lxc.network"),
        ("call", "networks.create"),
        ("created", "lxc.network"),
        ("intend", "lxc.server"),
        ("intend", "lxc.server"),
        ("call", "containers.create"),
        ("created", "lxc.server"),
        ("created", "lxc.server"),
    ]
    assert [server.ledger_id for server in servers] == [2, 3]
    assert all(row.name.startswith(f"{TAG}-") for row in book.rows)


def test_no_private_key_is_booked_or_handed_on(made, tmp_path):
    book = Book()
    servers = made(LxcInputs(count=1), [Host(book, outer("h", 1))], book)
    assert "PRIVATE" not in f"{book} {servers}"
    assert (tmp_path / keys.LOGIN).stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (tmp_path / "known_hosts").read_text()


def test_what_is_on_a_host_that_a_run_has_made_is_inside_of_it_and_reached_through_it(made):
    book = Book()
    (server,) = made(LxcInputs(count=1), [Host(book, outer("h", 1, ledger_id=7, user="me"))], book)
    assert {row.inside for row in book.rows} == {7}
    assert [(hop.host, hop.user) for hop in server.jump] == [("10.9.9.1", "me")]


def test_hosts_that_lose_a_network_to_somebody_else_agree_on_another_one(made):
    book = Book()
    hosts = [Host(book, outer("a", 1), taken=("10.213.0.0/24",)), Host(book, outer("b", 2))]
    made(LxcInputs(count=2, hosts=tuple(each.machine.server for each in hosts)), hosts, book)
    assert hosts[0].network["cidr"] == hosts[1].network["cidr"] != "10.213.0.0/24"
    assert [host.network["vxlan"]["peers"] for host in hosts] == [["10.9.9.2"], ["10.9.9.1"]]
    assert len({host.network["address"] for host in hosts}) == 2
    assert [row.kind for row in book.rows].count("lxc.network") == 2


def test_containers_of_all_hosts_let_the_same_key_in(made, monkeypatch, tmp_path):
    meet = threading.Barrier(2, timeout=0.5)
    read = keys.read_login_key

    def read_at_once(folder: Path) -> keys.KeyPair | None:
        found = read(folder)
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait()
        return found

    monkeypatch.setattr(keys, "read_login_key", read_at_once)
    book = Book()
    hosts = [Host(book, outer(name, number)) for number, name in enumerate("ab", 1)]
    made(LxcInputs(count=2, hosts=tuple(each.machine.server for each in hosts)), hosts, book)
    kept = read(tmp_path)
    assert kept
    assert [host.servers[0]["authorized_key"] for host in hosts] == [kept.public] * 2


def test_containers_that_could_not_be_made_are_named_and_the_others_are_booked(made):
    book = Book()
    with pytest.raises(ContainerFailed, match=r"server1: no.*server3: no") as caught:
        made(LxcInputs(count=3), [Host(book, outer("h", 1), broken=("server1", "server3"))], book)
    assert "server2" not in caught.value.what
    assert [event[2] for event in book.events if event[:2] == ("created", "lxc.server")] == [f"{TAG}-server2"]


def test_a_second_making_books_nothing_twice_and_keeps_the_network(made):
    book = Book()
    host = Host(book, outer("h", 1))
    made(LxcInputs(count=2), [host], book)
    rows, cidr, login = len(book.rows), host.network["cidr"], host.servers[0]["authorized_key"]
    host.taken = ("10.213.1.0/24",)
    made(LxcInputs(count=2), [host], book)
    assert len(book.rows) == rows
    assert host.network["cidr"] == cidr
    assert host.servers[0]["authorized_key"] == login


def test_where_this_machine_may_have_no_containers_other_hosts_get_nothing_from_it(monkeypatch):
    def refuse(_do, **_given):
        raise SudoRefused("server this machine: no sudo")

    monkeypatch.setattr(images, "agent_of", lambda _machine: SimpleNamespace(call=refuse, images="/images"))
    assert images.is_here("0123456789") is False
    assert images.copy(Host(Book(), Server(name="far", host="192.0.2.1")), "golden") is False
