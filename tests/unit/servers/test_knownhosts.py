"""What a known_hosts file says of a place, also when it is old, long or broken."""

from __future__ import annotations

import subprocess
from base64 import b64decode

import paramiko
import pytest

from rallyflow.errors import HostKeyMismatch, HostKeyUnknown, PermanentError
from rallyflow.model.values import Hop
from rallyflow.servers.machine import Machine
from rallyflow.servers.ssh.book import HostKeyBook
from rallyflow.servers.ssh.knownhosts import compare, known_keys

PLACE = Hop(host="db.corp", port=22, user="root")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two keys of one kind, as in a `.pub` file without the comment."""
    folder = tmp_path_factory.mktemp("keys")
    found = []
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        found.append(" ".join((folder / f"{name}.pub").read_text().split()[:2]))
    return found


@pytest.fixture
def known(tmp_path):
    def write(*lines):
        (tmp_path / "known").write_text("".join(f"{line}\n" for line in lines))
        return known_keys(tmp_path / "known", PLACE)

    return write


def shown(text):
    return paramiko.PKey.from_type_string(text.split()[0], b64decode(text.split()[1]))


RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"
ODD = [
    "# a comment",
    "",
    "  \t",
    "alone",
    "@cert-authority",
    f"@cert-authority *.corp {RSA}",
    "@cert-authority *.corp ssh-ed25519 AAAA",
    "db.corp 1024 35 1337299838477574663739292884 root@old",
    f"other.corp {RSA}",
    "other.corp ssh-ed25519 AAAA",
    "other.corp ssh-ed25519 not-base64!",
    f"db.corp {RSA}",
    "db.corp ssh-rsa AAAAB3NzaC1yc2EAAAABgAAAAAAAAA==",
    "|1|short|short ssh-ed25519 AAAA",
    "|1|é|=|= ssh-ed25519 AAAA",
    "|1| ssh-ed25519 AAAA",
    "@revoked",
    "@revoked db.corp",
    "@revoked db.corp ssh-ed25519 AAAA",
]


@pytest.mark.parametrize("odd", ODD)
def test_a_line_that_can_not_be_used_does_not_keep_the_others_from_it(known, keys, odd):
    found = known(odd, f"db.corp {keys[0]}", odd)
    assert list(found.keys.values()) == [shown(keys[0])]
    assert found.revoked == ()


@pytest.mark.parametrize("name", ["db.corp", "x,db.corp", "*.corp", "d?.corp", "*,!web.corp", "*,!x*"])
def test_names_lists_and_patterns_are_followed(known, keys, name):
    assert known(f"{name}\t{keys[0]} comment ssh-rsa").keys == {"ssh-ed25519": shown(keys[0])}


@pytest.mark.parametrize("name", ["dbXcorp", "db", "*.corp,!db.corp", "*.other", "!web.corp", "[db.corp]:2222"])
def test_what_means_other_servers_is_not_followed(known, keys, name):
    assert known(f"{name} {keys[0]}").keys == {}


def test_the_port_belongs_to_the_name(tmp_path, keys):
    (tmp_path / "known").write_text(f"[db.corp]:2222 {keys[0]}\n")
    assert known_keys(tmp_path / "known", PLACE.model_copy(update={"port": 2222})).keys
    assert not known_keys(tmp_path / "known", PLACE).keys


@pytest.mark.parametrize("marked", ["@revoked db.corp", "@revoked *", "  @revoked\tweb.corp,db.corp"])
def test_a_revoked_key_is_refused_whatever_else_is_written(known, keys, marked):
    found = known(f"db.corp {keys[0]}", f"{marked} {keys[0]}", f"db.corp {keys[1]}")
    assert found.keys == {"ssh-ed25519": shown(keys[1])}
    compare(found, shown(keys[1]), "server x")
    with pytest.raises(HostKeyMismatch, match="revoked"):
        compare(found, shown(keys[0]), "server x")
    with pytest.raises(HostKeyUnknown):
        compare(known(f"@revoked db.corp {keys[0]}"), shown(keys[1]), "server x")


def test_a_revoked_key_stays_revoked_in_the_book_of_a_step(tmp_path, keys):
    (tmp_path / "known").write_text(f"@revoked * {keys[0]}\n")
    book = HostKeyBook(tmp_path / "book")
    book.take(PLACE, f"{keys[0]}\n{keys[1]}", tmp_path / "known")
    found = known_keys(book.file, PLACE)
    assert (list(found.keys.values()), list(found.revoked)) == ([shown(keys[1])], [shown(keys[0])])


def test_a_file_that_can_not_be_read_says_so_and_odd_letters_do_no_harm(tmp_path, keys):
    with pytest.raises(PermanentError, match="can't be read"):
        known_keys(tmp_path, PLACE)
    (tmp_path / "known").write_bytes(b"# caf\xe9\n" + f"db.corp {keys[0]}\n".encode())
    assert known_keys(tmp_path / "known", PLACE).keys


def test_a_server_is_reached_by_a_file_with_authorities_in_it_and_refused_once_its_key_is_revoked(sshd, tmp_path):
    own = sshd.known_hosts().read_text()
    known = tmp_path / "known"
    known.write_text("\n".join([*ODD, own]))
    with Machine(sshd.server(known_hosts=known)) as machine:
        assert machine.run("echo yes").stdout == "yes"
    known.write_text(f"{own}@revoked {own}")
    with Machine(sshd.server(known_hosts=known)) as machine, pytest.raises(HostKeyMismatch, match="revoked"):
        machine.run("true")
