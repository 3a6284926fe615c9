from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("rallyflow")


@dataclass
class Cli:
    """Runs the real program with a home of its own, as a user would."""

    home: Path
    directory: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *arguments: object, timeout: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(arguments),
            cwd=self.directory,
            env=self._env(env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *arguments: object, **env: str) -> str:
        done = self.run(*arguments, **env)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: object) -> Any:
        return json.loads(self.ok(*arguments, "--json"))

    def start(self, *arguments: object, **env: str) -> subprocess.Popen[str]:
        """Start the program as the leader of a session, as a shell's job is."""
        process = subprocess.Popen(
            self._command(arguments),
            cwd=self.directory,
            env=self._env(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def workflow(self, text: str, name: str = "workflow.yaml") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the journal, as any reader may."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/journal.db?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def until(self, process: subprocess.Popen[str], sql: str, timeout: float = 120) -> None:
        """Wait until a query of the journal gives a true value, while the process lives."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if process.poll() is not None:
                pytest.fail(f"the process ended too early: {process.communicate()}")
            try:
                if self.query(sql)[0][0]:
                    return
            except (sqlite3.Error, IndexError):
                pass
            time.sleep(0.005)
        pytest.fail(f"never true: {sql}")

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill the whole process group, as a crash of the machine's owner would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return [str(PROGRAM), *map(str, arguments)]

    def _env(self, extra: dict[str, str]) -> dict[str, str]:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OTEL_", "RALLYFLOW_"))
        }
        return {**clean, "RALLYFLOW_HOME": str(self.home), "NO_COLOR": "1", **extra}

    def stop_all(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        with contextlib.suppress(sqlite3.Error):  # there may be none, or one that a test has damaged
            for (run,) in self.query("SELECT DISTINCT run FROM resource WHERE state <> 'deleted'"):
                self.run("destroy", run, "--yes")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path / "home", tmp_path)
    yield made
    made.stop_all()


@pytest.fixture(scope="session")
def cli_in() -> Callable[[Path], Cli]:
    """Give the program with a home of its own below a folder, for tests that run it in several; they stop it."""
    return lambda folder: Cli(folder / "home", folder)


@pytest.fixture(scope="session")
def working_in() -> Callable[[Path], list[str]]:
    """Give the command lines of the processes that work below a folder."""
    return processes_about


@pytest.fixture
def gone() -> Callable[[Path], None]:
    """Check that no process works below a folder any more."""

    def check(folder: Path) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            left = [*processes_about(folder), *acting_in(folder)]
            if not left:
                return
            time.sleep(0.05)
        pytest.fail(f"processes are left: {left}")

    return check


def acting_in(folder: Path) -> list[str]:
    """Return the runs below a folder that some process still acts for."""
    found = []
    for lock in folder.glob("*/runs/*/alive.lock"):
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(lock.parent.name)
    return found


def processes_about(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and int(process.name) != os.getpid():
            found.append(command)
    return found
