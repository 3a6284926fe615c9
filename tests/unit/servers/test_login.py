"""Who a server is, and how it lets us in: host keys, keys, the agent, passwords, jump hosts."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import paramiko
import pytest

from rallyflow.errors import HostKeyMismatch, HostKeyUnknown, LoginRefused, ServerUnreachable
from rallyflow.model.values import Hop
from rallyflow.servers.machine import Machine
from rallyflow.servers.ssh.patience import Patience


def runs(server):
    with Machine(server, patience=Patience(connect=5)) as machine:
        return machine.run("echo yes").stdout == "yes"


def another_key(folder: Path) -> str:
    path = folder / "another"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def print_of(folder: Path, key: str) -> str:
    (folder / "key.pub").write_text(key)
    shown = subprocess.run(["ssh-keygen", "-lf", folder / "key.pub"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def test_a_server_whose_key_is_known_is_talked_to(sshd):
    assert runs(sshd.server())


def test_a_wrong_host_key_is_refused_with_both_fingerprints(sshd, tmp_path):
    wrong = another_key(tmp_path)
    (tmp_path / "known").write_text(f"[127.0.0.1]:{sshd.port} {wrong}")
    with pytest.raises(HostKeyMismatch) as caught:
        runs(sshd.server(known_hosts=tmp_path / "known"))
    assert sshd.fingerprint in caught.value.what
    assert print_of(tmp_path, wrong) in caught.value.what


@pytest.mark.parametrize("line", [None, "", "other.example ssh-ed25519 AAAA\n"])
def test_an_unknown_host_key_is_never_accepted_and_its_fingerprint_said(sshd, tmp_path, line):
    known = tmp_path / "known" if line is not None else None
    if known:
        known.write_text(line)
    with pytest.raises(HostKeyUnknown, match="server one") as caught:
        runs(sshd.server(known_hosts=known))
    assert sshd.fingerprint in caught.value.what


def test_of_several_keys_of_a_server_the_known_one_is_asked_for(sshd_in, tmp_path):
    for kind in ("rsa", "ecdsa"):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", tmp_path / kind], check=True)
    sshd = sshd_in(tmp_path / "sshd", *(f"HostKey {tmp_path / kind}" for kind in ("rsa", "ecdsa")))
    for kind in ("rsa", "ecdsa"):
        known = tmp_path / f"known-{kind}"
        known.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / kind).with_suffix('.pub').read_text()}")
        assert runs(sshd.server(known_hosts=known))


def test_a_hashed_known_hosts_is_read(sshd, tmp_path):
    known = tmp_path / "known"
    known.write_text(sshd.known_hosts().read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert "127.0.0.1" not in known.read_text()
    assert runs(sshd.server(known_hosts=known))


def test_a_wrong_key_is_refused_for_good(sshd, tmp_path):
    another_key(tmp_path)
    with pytest.raises(LoginRefused, match=r"refuses the user .*tried: the key .*another"):
        runs(sshd.server(key_file=tmp_path / "another"))


def test_a_key_that_can_not_be_used_says_why(sshd, tmp_path):
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", locked], check=True)
    (tmp_path / "junk").write_text("no key at all")
    for name, words in {"locked": "has a passphrase", "junk": "can't be read", "none": "can't be read"}.items():
        with pytest.raises(LoginRefused, match=words):
            runs(sshd.server(key_file=tmp_path / name))


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """An agent of our own, and a home without keys; give it the files of the keys to hold."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    process = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield lambda *keys: subprocess.run(["ssh-add", "-q", *keys], check=True, stderr=subprocess.PIPE)
    process.kill()
    process.communicate()


def test_the_agent_is_asked_when_nothing_else_is_named(sshd, agent):
    with pytest.raises(LoginRefused, match="nothing, there is no key"):
        runs(sshd.server(key_file=None))
    agent(sshd.key_file)
    assert runs(sshd.server(key_file=None))


def test_an_agent_with_more_keys_than_the_server_takes_is_refused_with_advice(sshd, agent, tmp_path):
    keys = [tmp_path / f"key-{number}" for number in range(8)]
    for key in keys:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    agent(*keys, sshd.key_file)
    with pytest.raises(LoginRefused, match="tried: the agent's key") as caught:
        runs(sshd.server(key_file=None))
    assert "`key_file:`" in caught.value.hint
    assert runs(sshd.server())


def test_a_key_in_the_home_is_found(sshd, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(sshd.key_file.read_bytes())
    assert runs(sshd.server(key_file=None))


def test_a_jump_host_is_gone_through_and_known_by_its_own_key(sshd, sshd_in, tmp_path):
    jump = sshd_in(tmp_path)
    known = tmp_path / "both"
    known.write_text(jump.known_hosts().read_text() + sshd.known_hosts().read_text())
    hop = Hop(host="127.0.0.1", port=jump.port, user=jump.user, key_file=jump.key_file)
    server = sshd.server(known_hosts=known, jump=(hop, hop))
    with Machine(server) as machine:
        seen = machine.run("echo $SSH_CONNECTION").stdout
        assert len(jump.children()) == 2
    assert seen.split()[0] == "127.0.0.1"
    with pytest.raises(HostKeyUnknown, match=rf"jump host .*:{jump.port}"):
        runs(server.model_copy(update={"known_hosts": sshd.known_hosts()}))
    dead = hop.model_copy(update={"port": 9})
    with pytest.raises(ServerUnreachable, match=r"jump host .*:9 does not answer"):
        runs(server.model_copy(update={"jump": (hop, dead)}))
    with pytest.raises(ServerUnreachable, match=r"server one .127.0.0.1:9. does not answer"):
        runs(server.model_copy(update={"port": 9, "jump": (hop,)}))


class PasswordServer(paramiko.ServerInterface):
    """Lets in who knows the word, and answers every command with `yes`: a real sshd has no password to test with."""

    def get_allowed_auths(self, _username):
        return "password"

    def check_auth_password(self, _username, password):
        return paramiko.AUTH_SUCCESSFUL if password == "open sesame" else paramiko.AUTH_FAILED

    def check_channel_request(self, _kind, _chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.answering = threading.Thread(target=self.answer, args=(channel, command.decode()))
        self.answering.start()
        return True

    def answer(self, channel, command):
        with subprocess.Popen(["/bin/sh", "-c", command], stdin=-1, stdout=-1, stderr=-1) as process:
            with channel.makefile("rb") as lines:
                process.stdin.write(lines.readline())
                process.stdin.flush()
            channel.sendall(process.stdout.read())
            channel.sendall_stderr(process.stderr.read())
            channel.send_exit_status(process.wait())
            channel.close()


@pytest.fixture
def password_server(sshd, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve():
            connection, _ = listening.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(paramiko.PKey.from_path(sshd.folder / "host"))
            transport.start_server(server=PasswordServer())
            transport.join()

        thread = threading.Thread(target=serve)
        thread.start()
        known = tmp_path / "known"
        known.write_text(f"[127.0.0.1]:{port} {sshd.host_key}\n")
        yield sshd.server(known_hosts=known, key_file=None).model_copy(update={"port": port})
        thread.join(20)


def with_password(server, folder, word):
    file = folder / "word"
    file.touch(mode=0o600)
    file.write_text(f"{word}\n")
    return server.model_copy(update={"password_file": file})


def test_a_password_from_a_file_lets_in(password_server, tmp_path):
    assert runs(with_password(password_server, tmp_path, "open sesame"))


def test_a_wrong_password_is_refused_and_not_said(password_server, tmp_path):
    with pytest.raises(LoginRefused, match="tried: the password") as caught:
        runs(with_password(password_server, tmp_path, "open barley"))
    assert "barley" not in caught.value.what + caught.value.hint


def test_a_key_where_only_passwords_are_taken_says_so(password_server, sshd):
    with pytest.raises(LoginRefused, match="it takes password"):
        runs(password_server.model_copy(update={"key_file": sshd.key_file}))
