"""Keeps secrets out of everything that is written down: outputs, reasons and errors in the journal, and logs."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MASK = "******"
_SHORTEST = 4  # characters; masking a shorter text would tear harmless words and numbers apart, and hide nothing
_LONGEST_LINE = 1 << 20  # bytes
_PATIENCE = 1.0  # seconds for output that is still under way when an attempt ends


class Mask:
    """Puts asterisks in place of secrets; of one with several lines, also in place of each line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets; those of fewer than four characters stay as they are."""
        pieces = {piece for secret in secrets for piece in (secret, *secret.splitlines())}
        self._pieces = sorted((piece for piece in pieces if len(piece) >= _SHORTEST), key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._pieces)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for piece in self._pieces:
            text = text.replace(piece, MASK)
        return text

    def data(self, value: Any) -> Any:
        """Return plain data without secrets in it."""
        if not self._pieces:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.data(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value


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
    pump = threading.Thread(target=_pump, args=(reader, os.dup(descriptor), mask), name="masking", daemon=True)
    pump.start()
    try:
        yield
    finally:
        _redirect(descriptor)  # which ends the pipe, unless something that the step has started still prints
        os.close(descriptor)
        pump.join(_PATIENCE)


def _redirect(descriptor: int) -> None:
    for number in (1, 2):
        os.dup2(descriptor, number)


def _pump(reader: int, target: int, mask: Mask) -> None:
    with os.fdopen(reader, "rb") as lines, os.fdopen(target, "wb", buffering=0) as file:
        while line := lines.readline(_LONGEST_LINE):
            text = line.decode(errors="surrogateescape")
            with contextlib.suppress(OSError):  # a full disk must not stop the step by a full pipe
                file.write(mask.text(text).encode(errors="surrogateescape"))
