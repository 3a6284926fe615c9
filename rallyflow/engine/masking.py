"""Keeps secrets out of the log of an attempt, whoever prints them: the step, or what it has started."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from rallyflow.masking import Mask, MaskedStream

_CHUNK = 1 << 16  # bytes
_PATIENCE = 1.0  # seconds for output that is still under way when an attempt ends


@contextlib.contextmanager
def output_to(descriptor: int, mask: Mask) -> Iterator[None]:
    """Send what this process and its children print inside the block to a file, without secrets.

    With no secrets it goes there directly; `descriptor` is taken over.
    """
    if not mask:
        _redirect(descriptor)
        os.close(descriptor)
        yield
        return
    reader, writer = os.pipe2(os.O_CLOEXEC)
    _redirect(writer)
    os.close(writer)
    pump = threading.Thread(target=_pump, args=(reader, descriptor, mask.stream()), name="masking", daemon=True)
    pump.start()
    try:
        yield
    finally:
        _let_go()  # which ends the pipe, unless something that the step has started still prints
        pump.join(_PATIENCE)


def _redirect(descriptor: int) -> None:
    for number in (1, 2):
        os.dup2(descriptor, number)


def _let_go() -> None:
    """Print to nowhere: what a thread of the step says after its end could not be masked."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    _redirect(nowhere)
    os.close(nowhere)


def _pump(reader: int, target: int, stream: MaskedStream) -> None:
    with os.fdopen(reader, "rb", buffering=0) as source, os.fdopen(target, "wb", buffering=0) as file:
        while data := source.read(_CHUNK):
            _write(file.fileno(), stream.feed(data))
        _write(file.fileno(), stream.close())


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it; a full disk must not stop the step by a full pipe."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]
