"""What a no-op step costs in other workflow engines, and how many times that is of what it costs in rallyflow.

Run by hand: python tests/bench/bench_peers.py [--peers-python PATH] [N ...]; the sizes are 1 000 and 10 000 without N.
PATH is the interpreter of an environment that has the others: python -m venv peers && peers/bin/pip install
taskflow sqlalchemy alembic sqlalchemy-utils luigi doit distributed prefect fastapi==0.139

Each figure is a process of its own: CPU time of it and of the processes that it starts, without imports and the start
of servers and of others' worker processes. Every engine keeps what it keeps by default.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 120  # seconds


@dataclass(frozen=True, slots=True)
class Peer:
    """One row: a module of the folder `peers`, the package that it needs, and what that keeps."""

    module: str
    package: str
    keeps: str
    words: tuple[str, ...] = ()


PEERS = (
    Peer("doit", "doit", "a file, written at the end"),
    Peer("luigi", "luigi", "an empty file per step"),
    Peer("taskflow", "taskflow", "nothing"),
    Peer("taskflow", "taskflow", "SQLite", ("sqlite",)),
    Peer("prefect", "prefect", "SQLite, by its server"),
    Peer("dask", "distributed", "nothing, two worker processes"),
)
OURS = Peer("rallyflow", "rallyflow", "SQLite, durable")
OURS_IN_WORKERS = Peer("rallyflow", "rallyflow", "SQLite, durable; two worker processes", ("workers",))


def main(python: str, sizes: list[int]) -> None:
    columns = [(shape, count) for count in sizes for shape in ("chain", "fan-out")]
    print("| engine | keeps |", " | ".join(f"{shape} of {count:,}" for shape, count in columns), "|")
    print("|---|---|" + "---|" * len(columns))
    ours = row(OURS, sys.executable, columns, {})
    row(OURS_IN_WORKERS, sys.executable, columns, ours)
    for peer in PEERS:
        row(peer, python, columns, ours)


def row(
    peer: Peer, python: str, columns: list[tuple[str, int]], ours: dict[tuple[str, int], float]
) -> dict[tuple[str, int], float]:
    """Print the row of an engine, and return its milliseconds of CPU per step."""
    version = version_of(peer, python)
    if not version:
        print(f"| {peer.package} | {peer.keeps} | not installed |", flush=True)
        return {}
    measured: dict[tuple[str, int], float] = {}
    print(f"| {peer.package} {version} | {peer.keeps} |", end="", flush=True)
    for shape, count in columns:
        found = cpu(peer, python, shape, count)
        if isinstance(found, str):
            print(f" {found} |", end="", flush=True)
            continue
        cost = measured[shape, count] = found / count * 1e3
        times = f" ({cost / ours[shape, count]:.1f}x)" if (shape, count) in ours else ""
        print(f" {cost:.2f} ms{times} |", end="", flush=True)
    print()
    return measured


def version_of(peer: Peer, python: str) -> str:
    """Return the version of an engine that can be imported; empty when it can't be."""
    program = f"import {peer.package}, importlib.metadata as m; print(m.version({peer.package!r}))"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=False).stdout.strip()


def cpu(peer: Peer, python: str, shape: str, count: int) -> float | str:
    """Return the seconds of CPU of a run, or in words why there are none."""
    command = [python, "-m", f"peers.{peer.module}", shape, str(count), *peer.words]
    with subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its servers and workers
            return f"over {LIMIT} s"
    return json.loads(output.splitlines()[-1])["cpu"] if process.returncode == 0 else "failed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter that has the other engines")
    parser.add_argument("sizes", nargs="*", type=int)
    arguments = parser.parse_args()
    main(arguments.peers_python, arguments.sizes or [1_000, 10_000])
