"""What tests of several folders share: a real sshd on loopback, and what containers may have left on this machine."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass
class Sshd:
    """One sshd, its keys, and what to write to reach it."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    user: str = field(default_factory=getpass.getuser)
    process: subprocess.Popen[str] | None = None

    @property
    def key_file(self) -> Path:
        return self.folder / "user"

    @property
    def host_key(self) -> str:
        """The host's public key, as a line of a `.pub` file."""
        return (self.folder / "host.pub").read_text().strip()

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint, as ssh-keygen says it."""
        shown = subprocess.run(
            ["ssh-keygen", "-lf", self.folder / "host.pub"], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()[1]

    def known_hosts(self) -> Path:
        path = self.folder / "known_hosts"
        path.write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        return path

    def server(self, name: str = "one", **fields: object):
        from rallyflow.model.values import Server

        given = {"key_file": self.key_file, "known_hosts": self.known_hosts(), **fields}
        return Server(name=name, host="127.0.0.1", port=self.port, user=self.user, **given)

    def start(self) -> None:
        """Start it, and come back when it listens."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # without which sshd does not start as root
        config = self.folder / "config"
        config.write_text("\n".join([*self.options, *self._options()]) + "\n")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "Server listening" in line:
                return
        self.process.communicate()
        pytest.fail(f"sshd does not start: {said}")

    def children(self) -> list[int]:
        """The processes that serve one connection each."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def stop(self) -> None:
        """End it, and the connections that it serves."""
        if self.process is None:
            return
        children = self.children()
        self.process.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):  # its connection has just ended
                os.kill(pid, 9)
        self.process.communicate()
        self.process = None

    def _options(self) -> list[str]:
        return [
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self.folder}/host",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            *([] if any("Subsystem" in option for option in self.options) else ["Subsystem sftp internal-sftp"]),
            "MaxStartups 100",
            "MaxSessions 100",
        ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="session")
def sshd_in() -> Iterator[Callable[..., Sshd]]:
    """Start an sshd with its files in a folder, and perhaps options that come before ours; ended with the tests."""
    if SSHD is None:
        if os.environ.get("RALLYFLOW_REQUIRE_SSHD"):
            pytest.fail("there is no sshd")
        pytest.skip("there is no sshd: install openssh-server")
    started = []

    def start(folder: Path, *options: str) -> Sshd:
        folder.mkdir(parents=True, exist_ok=True)
        made = Sshd(folder, free_port(), options)
        make_key(folder / "host")
        public = make_key(made.key_file).with_suffix(".pub")
        shutil.copy(public, folder / "authorized_keys")
        made.start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def sshd(sshd_in, tmp_path_factory: pytest.TempPathFactory) -> Sshd:
    """One that no test stops or changes."""
    return sshd_in(tmp_path_factory.mktemp("sshd"))


@pytest.fixture(scope="session")
def processes_with() -> Callable[[str], list[int]]:
    """Give the processes that have a word among their arguments; those of this test itself do not count."""

    def find(word: str) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if word in arguments:
                found.append(int(folder.name))
        return found

    return find


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until something is so; fail when it never is."""

    def wait(holds: Callable[[], object], what: str = "", seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"never so: {what or holds}")
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def lxc_host() -> None:
    """Skip where this machine can't be a host of containers, and say why."""
    from rallyflow.servers.machine import Machine
    from rallyflow.servers.providers.lxc.images import THIS_MACHINE
    from rallyflow.servers.providers.lxc.needs import problems

    with Machine(THIS_MACHINE) as machine:
        found = problems(machine)
    if found and os.environ.get("RALLYFLOW_REQUIRE_LXC"):
        pytest.fail(f"no host of containers: {found}")
    if found:
        pytest.skip(f"no host of containers: {'; '.join(each.what for each in found)}")


@pytest.fixture(scope="session")
def leftovers() -> Callable[[Path], list[str]]:
    """Give what the runs of a home have left on this machine: looked for in the machine itself, not in the ledger."""
    return left_of


def left_of(home: Path) -> list[str]:
    """Return containers, files, devices, tables, mounts, control groups and processes with a mark of a run."""
    marks = marks_of(home)
    state = Path("/var/lib/rallyflow")
    names = [path.name for path in (*state.glob("lxc/*"), *state.glob("networks/*"), *Path("/sys/class/net").iterdir())]
    names += [path.name for path in Path("/sys/fs/cgroup").glob("**/lxc.*.rf-*")]
    names += Path("/proc/mounts").read_text().splitlines()
    if shutil.which("nft"):
        names += subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [name for name in names if any(mark in name for mark in marks)]


def marks_of(home: Path) -> set[str]:
    """Return the words that name what the runs of a home make: their tags, and the names that follow from them."""
    from rallyflow.model.ids import parse_tag
    from rallyflow.servers.providers.lxc import names

    marks = set()
    with contextlib.closing(sqlite3.connect(f"file:{home}/journal.db?mode=ro", uri=True)) as journal:
        for run, name in journal.execute("SELECT run, name FROM resource WHERE kind LIKE 'lxc.%'"):
            tag = str(parse_tag(name) or "")
            marks |= {f"rf-{run}", names.bridge(tag), names.vxlan(tag), names.veth(name)}
    return marks
