"""What the engine costs per no-op step, journalled as usual: inline, in worker processes, when a run is resumed.

Run by hand: python tests/bench/bench_engine.py [N ...]; the sizes are 1 000, 10 000 and 100 000 without N. Each row is
a process of its own, which has made a small run before it measures: what Python imports and the start of the fork
server are not counted, the start of a run's workers is. Fork server and workers are counted as the kernel does, in
/proc.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shapes import SHAPES, in_workers
from usage import Spent, peak_mib, stopwatch

from rallyflow.engine.session import Ending, begin, resume
from rallyflow.engine.signals import Signals
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Event, Journal
from rallyflow.model.plan import Plan
from rallyflow.model.states import RunState
from rallyflow.settings import Home

INLINE_BAR, WORKERS_BAR = 0.3, 3.0  # ms of CPU per step
RESUME_BAR = 1.0  # seconds to the first new step
MEMORY_BAR = 1024  # MiB, of the engine
LARGEST_BUT_INLINE = 10_000


class Watching:
    """A listener that tells of each event's kind."""

    def __init__(self, told: Callable[[str], None] = lambda _kind: None) -> None:
        self._told = told

    def happened(self, event: Event) -> None:
        self._told(event.kind)

    def progressed(self, step: object, progress: object) -> None:
        pass


def main(sizes: list[int]) -> None:
    for count in sizes:
        for shape in SHAPES:
            print(f"{shape:8} {count:7,}  inline   ", said_by("inline", shape, count), flush=True)
            if count <= LARGEST_BUT_INLINE:
                print(f"{shape:8} {count:7,}  workers  ", said_by("workers", shape, count), flush=True)
                print(f"{shape:8} {count:7,}  resumed  ", said_by("resumed", shape, count), flush=True)


def said_by(what: str, shape: str, count: int) -> str:
    """Measure in a process of its own; returns its row."""
    command = [sys.executable, __file__, what, shape, str(count)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def inline(shape: str, count: int) -> str:
    spent = cost(SHAPES[shape](count))
    return f"{spent.per(count)} (bar {INLINE_BAR} ms), peak {peak_mib():.0f} MiB (bar {MEMORY_BAR})"


def workers(shape: str, count: int) -> str:
    return f"{cost(in_workers(SHAPES[shape](count))).per(count)} (bar {WORKERS_BAR} ms)"


def cost(plan: Plan) -> Spent:
    """Return what a run takes, from a plan to the end of its workers."""
    with new_home() as home:
        run(home, in_workers(SHAPES["chain"](3)))
        spent = stopwatch()
        assert run(home, plan).state is RunState.SUCCEEDED
        return spent()


def resumed(shape: str, count: int) -> str:
    """Kill a run in its middle, and time how long the first new step takes: of a call, and of a process."""
    with new_home() as home:
        killed_in_its_middle(home, shape, count)
        called = first_step_of_a_call(home)
    with new_home() as home:
        killed_in_its_middle(home, shape, count)
        process = first_step_of_a_process(home)
    return (
        f"first new step after {called.wall:.2f} s ({called.cpu:.2f} s of CPU), "
        f"of a new process after {process:.2f} s (bar {RESUME_BAR})"
    )


def killed_in_its_middle(home: Home, shape: str, count: int) -> None:
    command = [sys.executable, __file__, "die", shape, str(count), str(home.root)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


def die(shape: str, count: int, root: str) -> None:
    """Run half of a plan in a home, and be killed: in workers, since inline steps that are ready share one commit."""
    ended = 0

    def told(kind: str) -> None:
        nonlocal ended
        ended += kind == "outcome"
        if ended > count // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    run(Home(Path(root)), in_workers(SHAPES[shape](count)), told)


def first_step_of_a_call(home: Home) -> Spent:
    spent = stopwatch()
    moments: list[Spent] = []

    def told(kind: str) -> None:
        if kind == "intent" and not moments:
            moments.append(spent())

    with opened(home) as journal:
        [record] = journal.runs()
    ending = resume(home, record.id, workers=2, listener=Watching(told), signals=Signals())
    assert ending.state is RunState.SUCCEEDED
    return moments[0]


def first_step_of_a_process(home: Home) -> float:
    started = time.time_ns()
    command = [sys.executable, "-m", "rallyflow", "resume", "--home", str(home.root)]
    subprocess.run(command, check=True, capture_output=True)
    with opened(home) as journal:
        [record] = journal.runs()
        kinds = ((event.kind, event.time_ns) for _, event in journal.events(record.id))
        first = next(moment for kind, moment in kinds if kind == "intent" and moment > started)
    return (first - started) / 1e9


def run(home: Home, plan: Plan, told: Callable[[str], None] = lambda _kind: None) -> Ending:
    return begin(home, plan, b"", workers=2, listener=Watching(told), signals=Signals())


@contextmanager
def new_home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder) / "home")


@contextmanager
def opened(home: Home) -> Iterator[JournalReader]:
    journal = Journal(home.journal)
    yield JournalReader(journal, home.root)
    journal.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["inline" | "workers" | "resumed" as what, shape, count]:
            print({"inline": inline, "workers": workers, "resumed": resumed}[what](shape, int(count)))
        case ["die", shape, count, root]:
            die(shape, int(count), root)
        case words:
            main([int(word) for word in words] or [1_000, 10_000, 100_000])
