"""Does the units of a plan: each as soon as those that it comes after are done, as many at a time as there are."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from . import daemons, databases, identity, places
from .events import AgentError, call, say, tail
from .plan import Command, Daemon, Databases, Identity, Plan, Ready, Schema, Unit, Wait, digest
from .readiness import is_ready

_POLL_FIRST, _POLL_MOST = 0.1, 1.0  # seconds between two questions


class Work:
    """The units of one plan on this server."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._contents = {file.path: file.content for file in plan.files}
        self._failed = threading.Event()
        self._restarted: list[str] = []

    def do(self) -> list[str]:
        """Do all of them; returns the daemons that were started. Raises the first AgentError, after those under way."""
        self.stop_what_differs()
        waiting = {unit.name: unit for unit in self._plan.units}
        done: set[str] = set()
        under_way: dict[Future[None], Unit] = {}
        error: AgentError | None = None
        with ThreadPoolExecutor(max_workers=len(waiting) or 1) as pool:
            while (waiting and error is None) or under_way:
                if error is None:
                    for unit in [unit for unit in waiting.values() if done.issuperset(unit.after)]:
                        under_way[pool.submit(self._unit, waiting.pop(unit.name))] = unit
                if not under_way:
                    raise AgentError(f"units wait for each other: {', '.join(sorted(waiting))}")
                finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    unit = under_way.pop(future)
                    try:
                        future.result()
                        done.add(unit.name)
                    except AgentError as caught:
                        error = error or caught
                        self._failed.set()
        if error is not None:
            raise self._with_gone(error, done)
        return self._restarted

    def _with_gone(self, error: AgentError, done: set[str]) -> AgentError:
        """Add to an error which daemons have been ready and do not run any more: what failed may have needed them."""
        there = {each.name for each in daemons.running(self._plan.deployment) if each.pid == each.session}
        ready = [unit.name for unit in self._plan.units if isinstance(unit, Daemon) and unit.name in done]
        gone = [name for name in ready if name not in there]
        if not gone:
            return error
        return AgentError(f"{error.what}; not running any more: {', '.join(gone)}", error.log, error.kind)

    def stop_what_differs(self) -> None:
        """End daemons that are not as the plan has them, all before anything is started.

        So nobody who waits for one of them takes the answer of the old one.
        """
        wanted = {unit.name: digest(unit, self._contents) for unit in self._plan.units if isinstance(unit, Daemon)}
        found = daemons.running(self._plan.deployment)
        wrong = {each.name for each in found if each.digest != wanted.get(each.name)}
        wrong |= {each.name for each in found} - {each.name for each in found if each.pid == each.session}
        daemons.stop([each for each in found if each.name in wrong])

    def _unit(self, unit: Unit) -> None:
        began = time.monotonic()
        say("unit", phase=unit.phase, unit=unit.name, state="begun")
        try:
            self._do(unit)
        except AgentError as error:
            say("unit", phase=unit.phase, unit=unit.name, state="failed")
            raise AgentError(f"{unit.name}: {error.what}", error.log) from error
        say("unit", phase=unit.phase, unit=unit.name, state="done", seconds=round(time.monotonic() - began, 2))

    def _do(self, unit: Unit) -> None:
        timeout = self._plan.timeout
        if isinstance(unit, Daemon):
            self._daemon(unit)
        elif isinstance(unit, Wait):
            self._until(unit.ready)
        elif isinstance(unit, Command):
            self._once(unit.name, unit.stamp, lambda: self._call(unit))
        elif isinstance(unit, Databases):
            self._once(unit.name, _stamp_of(unit), lambda: databases.make(unit, timeout))
        elif isinstance(unit, Schema):
            upgrade = (places.STAMPS / unit.name).exists()
            self._once(unit.name, unit.key, lambda: databases.fill(unit, timeout, upgrade=upgrade))
        elif isinstance(unit, Identity):
            self._once(unit.name, _stamp_of(unit), lambda: identity.register(unit))

    def _daemon(self, unit: Daemon) -> None:
        mark = digest(unit, self._contents)
        runs = any(each.name == unit.name for each in daemons.running(self._plan.deployment))
        process = None
        log = daemons.log_of(unit.name)
        since = log.stat().st_size if log.exists() else 0
        if not runs:
            process = daemons.start(self._plan.deployment, unit, mark)
            self._restarted.append(unit.name)

        def dead() -> bool:
            return process is not None and process.poll() is not None

        try:
            self._until(unit.ready, dead)
        except AgentError as error:
            raise AgentError(error.what, tail(log, since=since)) from error

    def _until(self, ready: Ready | None, dead: Callable[[], bool] = lambda: False) -> None:
        until = time.monotonic() + self._plan.timeout
        pause = _POLL_FIRST
        while ready is not None and not is_ready(ready):
            if dead():
                raise AgentError("ended right after it was started")
            if self._failed.is_set():
                raise AgentError("given up, because something else has failed")
            if time.monotonic() > until:
                raise AgentError(f"is not ready after {self._plan.timeout:.0f}s: {ready.kind} {ready.target}")
            time.sleep(pause)
            pause = min(pause * 1.3, _POLL_MOST)

    def _call(self, unit: Command) -> None:
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **unit.env}
        call(unit.command, timeout=self._plan.timeout, env=env, cwd="/", **daemons.identity_of(unit.user))

    def _once(self, name: str, stamp: str, do: Callable[[], None]) -> None:
        file = places.STAMPS / name
        if stamp and file.exists() and file.read_text() == stamp:
            return
        do()
        if stamp:
            temporary = file.with_name(f".{name}.part")
            temporary.write_text(stamp)
            temporary.rename(file)


def _stamp_of(unit: Unit) -> str:
    return hashlib.sha256(repr(unit).encode()).hexdigest()
