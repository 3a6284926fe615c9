"""A load process: reads its plan, runs its shard in threads, writes parts, and tells its parent about them.

It is started as `python -m rallyflow.bench.load.process`. On standard input comes the plan on one line, then
`go`, perhaps `stop`; on standard output go JSON lines: `signed_in`, `ready`, `progress`, `parts`, `error`, `done`.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter_ns
from typing import Any, BinaryIO

import orjson

from rallyflow.bench.actions.actor import Actor, NetworkId
from rallyflow.bench.load.plan import ActorPlan, Plan
from rallyflow.bench.load.program import Frame, Program, build
from rallyflow.bench.load.records import Failed, Record, action_columns, iteration_columns
from rallyflow.bench.load.telemetry import Usage
from rallyflow.clouds.rest import CloudSession
from rallyflow.clouds.transport import meter
from rallyflow.errors import RallyflowError
from rallyflow.masking import Mask
from rallyflow.processes import act_for, die_with
from rallyflow.results.parts import write_part

LOOK = 0.25
"""Seconds between two looks at what the threads have done."""
FLUSH_AT = 10_000
"""Iterations that are written without waiting for the time, and at most written into one part."""
FULL = 20_000
"""Finished iterations that may wait; then threads pause, so that memory is bounded however fast they are."""
TELEMETRY_AT = 120
"""Samples of the process itself that are written together."""
MESSAGE = 2000
"""Characters of an error message that are kept."""


class Control:
    """What the parent wants: whether to begin, and whether to start nothing new."""

    def __init__(self, commands: int, heard: bytes) -> None:
        """Listen on a file descriptor; `heard` has been read from it already."""
        self.begin = threading.Event()
        self.stopping = False
        self._obey(heard)
        self._commands = commands  # no buffered reader: the thread would hold its lock at exit
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def _listen(self) -> None:
        while command := os.read(self._commands, 64):
            self._obey(command)

    def _obey(self, command: bytes) -> None:
        if b"stop" in command:
            self.stopping = True
        if command:
            self.begin.set()


class Shard:
    """Runs one shard of a load."""

    def __init__(self, plan: Plan, control: Control, stdout: BinaryIO) -> None:
        self.plan = plan
        self.control = control
        self.done: deque[Record] = deque()
        self.usage = Usage()
        self._stdout = stdout
        self._wake = threading.Event()  # set when there is something to write before the next look
        self._parts = itertools.count()
        self._iterations = self._failed = 0
        self._mask = Mask(plan.secrets)

    def tell(self, **message: Any) -> None:
        """Send a message to the parent."""
        self._stdout.write(orjson.dumps(message) + b"\n")
        self._stdout.flush()

    def prepare(self) -> tuple[Program, list[Actor]]:
        """Build the program and sign the users in, so that the first iteration costs no more than others."""
        for module in self.plan.modules:
            importlib.import_module(module)
        actors = make_actors(self.plan)
        if self.plan.services:
            self._sign_in([actors[number] for number in self.plan.shard.turns(len(actors))])
        return build(self.plan.operations, self.plan.names), actors

    def _sign_in(self, actors: Sequence[Actor]) -> None:
        """Sign users in, and tell the parent now and then how many: it waits for as long as there are more."""
        told = time.monotonic()
        with ThreadPoolExecutor(min(16, len(actors) or 1)) as pool:
            for done, _ in enumerate(pool.map(self._warm, actors), 1):
                if time.monotonic() - told > 1:
                    told = time.monotonic()
                    self.tell(signed_in=done, users=len(actors))

    def _warm(self, actor: Actor) -> None:
        for service in self.plan.services:
            actor.session.service(service)

    def run(self, program: Program, actors: list[Actor]) -> None:
        """Run all iterations and write what they gave; raises DiskFull or StorageError."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        self.usage = Usage()
        numbers, seconds = self.plan.shard.numbers(), self.plan.shard.seconds
        # One for all lanes, so that a lane that begins late does not go on for longer than the load lasts.
        deadline = perf_counter_ns() + int(seconds * 1e9) if seconds is not None else None
        threads = [
            threading.Thread(target=self._lane, args=(lane, numbers, program, actors, deadline), name=f"lane-{lane}")
            for lane in self.plan.shard.lanes
        ]
        for thread in threads:
            thread.start()
        try:
            self._watch(threads)
        finally:
            self.control.stopping = True

    def _lane(
        self, lane: int, numbers: Iterator[int], program: Program, actors: list[Actor], deadline: int | None
    ) -> None:
        try:
            self._iterate(lane, numbers, program, actors, deadline)
        finally:
            self._wake.set()

    def _iterate(
        self, lane: int, numbers: Iterator[int], program: Program, actors: list[Actor], deadline: int | None
    ) -> None:
        frame = Frame(actors[0], meter(), self.plan.slots)
        done, control, count = self.done, self.control, len(actors)
        for number in numbers:
            if control.stopping:
                return
            frame.actor = actors[number % count]
            rows: list[int] = []
            frame.rows = rows
            frame.idle_ns = 0
            failed = None
            started = perf_counter_ns()
            if deadline is not None and started >= deadline:
                return
            try:
                program(frame)
            except Exception as error:  # noqa: BLE001 - whatever an iteration dies of is a result
                failed = _failed(error, frame, self._mask)
            ended = perf_counter_ns()
            idle = frame.idle_ns
            done.append((number, lane, started, ended - started - idle, idle, failed, rows))
            if len(done) >= FLUSH_AT:
                self._make_room()

    def _make_room(self) -> None:
        """Have finished iterations written, and pause when they come faster than that."""
        self._wake.set()
        while len(self.done) >= FULL and not self.control.stopping:
            time.sleep(0.002)

    def _watch(self, threads: list[threading.Thread]) -> None:
        """Write parts every now and then until all threads have ended, and once more then."""
        flushed = sampled = perf_counter_ns()
        while any(thread.is_alive() for thread in threads):
            self._wake.wait(LOOK)
            self._wake.clear()
            now = perf_counter_ns()
            if now - sampled > 1e9:
                self.usage.sample()
                sampled = now
            if len(self.done) >= FLUSH_AT or now - flushed > self.plan.flush_after * 1e9:
                self.flush()
                flushed = now
            elif self.done:
                self._tell_progress(len(self.done))
        for thread in threads:
            thread.join()
        self.usage.sample()
        while self.done:
            self.flush()
        self._flush_telemetry()

    def _tell_progress(self, waiting: int) -> None:
        self.tell(progress=self._iterations + waiting, failed=self._failed)

    def flush(self) -> None:
        """Write what the threads have finished as a part of each table, and tell the parent."""
        records = [self.done.popleft() for _ in range(min(len(self.done), FLUSH_AT))]
        if not records:
            return
        plan, serial = self.plan, next(self._parts)
        process, folder = plan.shard.process, Path(plan.folder)
        rows = iteration_columns(records, plan.owner, process, plan.names, plan.clock_offset_ns)
        parts = [write_part(folder, f"iterations-{process}-{serial}", "iterations", rows)]
        rows = action_columns(records, plan.owner, plan.names, plan.clock_offset_ns)
        parts.append(write_part(folder, f"actions-{process}-{serial}", "actions", rows))
        self._iterations += len(records)
        self._failed += sum(record[5] is not None for record in records)
        self.tell(parts=[(table, str(path), count) for table, path, count in parts])
        self._tell_progress(len(self.done))
        if len(self.done) >= FLUSH_AT:
            self._wake.set()
        if len(self.usage) >= TELEMETRY_AT:
            self._flush_telemetry()

    def _flush_telemetry(self) -> None:
        plan, process, serial = self.plan, self.plan.shard.process, next(self._parts)
        rows = self.usage.take(plan.owner, process, plan.clock_offset_ns)
        table, path, count = write_part(Path(plan.folder), f"telemetry-{process}-{serial}", "telemetry", rows)
        self.tell(parts=[(table, str(path), count)])


def _failed(error: Exception, frame: Frame, mask: Mask) -> Failed:
    action, frame.failed = frame.failed, None
    return Failed(type(error).__name__, mask.text(str(error))[:MESSAGE], action)


def make_actors(plan: Plan) -> list[Actor]:
    """Return the users of a plan; one without a session when there is no cloud."""
    counter = itertools.count()
    stem = f"{plan.prefix}{plan.owner.attempt}-{plan.shard.process}-"
    discovered: dict[str, Any] = {}

    def name() -> str:
        return f"{stem}{next(counter)}"

    def actor(one: ActorPlan) -> Actor:
        session = CloudSession(one.login, discovered=discovered) if one.login else None
        networks = tuple(NetworkId(network) for network in one.networks)
        return Actor(session, name, networks=networks, wait_timeout=plan.wait_timeout)

    return [actor(one) for one in plan.actors] or [Actor(None, name)]


def _first_line(descriptor: int) -> tuple[bytes, bytes]:
    """Return the first line of a descriptor, and what came with it: a command may follow at once."""
    text = b""
    while b"\n" not in text and (more := os.read(descriptor, 1 << 16)):
        text += more
    line, _, rest = text.partition(b"\n")
    return line, rest


def main() -> None:
    """Run the shard that standard input describes."""
    stdin = sys.stdin.fileno()
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what actions print goes to the log, never between the messages
    first, heard = _first_line(stdin)
    plan = Plan.from_json(first)
    die_with(plan.guardian)
    act_for(Path(plan.directory))
    shard = Shard(plan, Control(stdin, heard), stdout)
    try:
        program, actors = shard.prepare()
        shard.tell(ready=True)
        shard.control.begin.wait()
        shard.run(program, actors)
    except RallyflowError as error:
        shard.tell(error={"type": type(error).__name__, "what": error.what, "hint": error.hint})
        return
    cpu, wall = shard.usage.total()
    shard.tell(done=True, cpu=cpu, wall=wall)


if __name__ == "__main__":
    main()
