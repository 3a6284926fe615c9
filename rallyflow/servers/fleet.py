"""The same work on many servers at a time, each with a result of its own: no error hides another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from rallyflow.errors import PermanentError, StepError, TransientError
from rallyflow.model.values import Server
from rallyflow.servers.machine import Machine
from rallyflow.servers.ssh.command import StoppedError
from rallyflow.servers.ssh.patience import Patience

AT_ONCE = 32
"""How many servers are worked on at a time by default."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Each(Generic[T]):
    """What came of the work on one server: a value, an error, or neither when it was stopped."""

    server: Server
    value: T | None = None
    error: StepError | None = None


def on_all(
    servers: Sequence[Server],
    work: Callable[[Machine], T],
    *,
    stopped: Callable[[], bool],
    log: Callable[[str, str], None] = lambda _server, _line: None,
    at_once: int = AT_ONCE,
    patience: Patience | None = None,
) -> list[Each[T]]:
    """Do some work on every server and return what came of it, in their order; connections end with it.

    `log` gets the name of a server and a line. When this is left by an exception, all of the work is ended first.
    """
    leaving = threading.Event()

    def do(server: Server) -> Each[T]:
        stop = _either(leaving.is_set, stopped)
        with Machine(server, log=lambda line: log(server.name, line), stopped=stop, patience=patience) as machine:
            try:
                return Each(server) if stop() else Each(server, value=work(machine))
            except StoppedError:
                return Each(server)
            except StepError as error:
                return Each(server, error=error)

    with ThreadPoolExecutor(max(1, min(at_once, len(servers))), thread_name_prefix="server") as pool:
        try:
            return list(pool.map(do, servers))
        except BaseException:
            leaving.set()
            raise


def joined(errors: Sequence[StepError]) -> StepError:
    """Return one error that says what several say; it is transient only when all of them are."""
    if len(errors) == 1:
        return errors[0]
    kinds = {type(error) for error in errors}
    what = f"{len(errors)} servers: " + "; ".join(error.what for error in errors)
    hint = "; ".join(dict.fromkeys(error.hint for error in errors if error.hint))
    if len(kinds) == 1:
        return kinds.pop()(what, hint=hint)
    transient = all(isinstance(error, TransientError) for error in errors)
    return (TransientError if transient else PermanentError)(what, hint=hint)


def _either(first: Callable[[], bool], second: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: first() or second()
