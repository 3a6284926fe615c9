"""Reads streams of subunit, version 2 as test runners write it today and version 1 of old, test by test.

Nothing in a stream is trusted: it may be cut off anywhere, be noise, or claim sizes that it does not have. Memory is
bounded by what is kept of one test, whatever the stream's length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from rallyflow.errors import ResultsUnreadable
from rallyflow.verifiers.case import (
    LONGEST_MESSAGE,
    Case,
    CaseState,
    bounded,
    first_line,
    shortened,
    since_epoch,
    split_tags,
)

_STATES = {
    "success": CaseState.PASSED,
    "fail": CaseState.FAILED,
    "skip": CaseState.SKIPPED,
    "xfail": CaseState.XFAIL,
    "uxsuccess": CaseState.UXSUCCESS,
}
_SIGNATURE = b"\xb3"
_PARSER = "subunit.parser"
_MOST_KEPT = 200_000  # bytes of one attachment
_MOST_NOISE = 16_000_000  # bytes that are not subunit
_NOISE_KEPT = 8_000
_MOST_OPEN = 100_000  # tests that have begun and not ended


@dataclass(slots=True)
class Heard:
    """What a stream held beside its tests."""

    noise: str = ""  # the end of what is not subunit, such as a traceback of the runner
    damage: str = ""  # what the parser could not read


@dataclass(slots=True)
class _Open:
    """A test of which the end has not come yet."""

    begun: bool = False
    started: datetime | None = None
    files: dict[str, bytearray] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()


def read_subunit(
    source: BinaryIO,
    ended: Callable[[Case], None],
    begun: Callable[[str], None] = lambda _name: None,
) -> Heard:
    """Read a stream of version 2 to its end; `ended` gets each test as soon as it has ended, `begun` its name before.

    A test that began and never ended is given as errored at the end. Raises ResultsUnreadable when the stream is
    mostly something else.
    """
    from subunit.v2 import ByteStreamToStreamResult

    listener = _Listener(ended, begun)
    parser = ByteStreamToStreamResult(_Source(source), non_subunit_name="stdout")
    try:
        parser.run(listener)
    except (struct.error, IndexError, ValueError, OverflowError, TypeError) as error:
        listener.heard.damage = f"{type(error).__name__}: {error}"
    listener.close()
    return listener.heard


def read_subunit_v1(source: BinaryIO, ended: Callable[[Case], None]) -> Heard:
    """Read a stream of version 1, the one that people can read."""
    from subunit import ProtocolTestCase
    from testtools import ExtendedToStreamDecorator

    listener = _Listener(ended, lambda _name: None)
    decorated = ExtendedToStreamDecorator(listener)
    decorated.startTestRun()
    try:
        ProtocolTestCase(source, passthrough=_Drain(listener)).run(decorated)
    except (AttributeError, IndexError, TypeError, ValueError, OverflowError) as error:  # such as a time that is none
        listener.heard.damage = f"{type(error).__name__}: {error}"
    listener.close()
    return listener.heard


class _Source:
    """A stream that is never read as a whole: a damaged packet may claim any length, also less than none."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        if size < 0:
            from subunit.v2 import ParseError

            raise ParseError("a packet claims less than no bytes")
        return self._source.read(size)


class _Drain:
    """Takes what a stream of version 1 holds beside its protocol."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener

    def write(self, data: bytes) -> None:
        self._listener.noise(data)


class _Listener:
    """What testtools calls a stream result: hears of each event, and gives tests that have ended."""

    def __init__(self, ended: Callable[[Case], None], begun: Callable[[str], None]) -> None:
        self.heard = Heard()
        self._ended = ended
        self._begun = begun
        self._open: dict[tuple[str, str], _Open] = {}
        self._noise = 0

    def status(  # noqa: PLR0913, PLR0917 - testtools' own signature
        self,
        test_id: str | None = None,
        test_status: str | None = None,
        test_tags: set[str] | None = None,
        runnable: bool = True,
        file_name: str | None = None,
        file_bytes: bytes | None = None,
        eof: bool = False,
        mime_type: str | None = None,
        route_code: str | None = None,
        timestamp: datetime | None = None,
    ) -> None:
        del runnable, eof, mime_type
        if test_id is None:
            self.noise(bytes(file_bytes or b""))
            return
        if test_id == _PARSER:
            if file_name == "Parser Error":
                self.heard.damage = bytes(file_bytes or b"").decode(errors="replace")
            return
        key = (test_id, route_code or "")
        self._take(key, test_status, test_tags, timestamp)
        if file_name and file_bytes:
            self._attach(key, file_name, bytes(file_bytes))
        if test_status in _STATES:
            self._end(key, _STATES[test_status], timestamp)

    def _take(
        self, key: tuple[str, str], status: str | None, tags: set[str] | None, timestamp: datetime | None
    ) -> None:
        if status == "exists":
            return
        if key not in self._open:
            if len(self._open) >= _MOST_OPEN:
                raise ResultsUnreadable(f"more than {_MOST_OPEN} tests have begun at a time: no stream of tests")
            self._open[key] = _Open()
        found = self._open[key]
        if tags:
            found.tags = found.tags | frozenset(tags)
        if status == "inprogress":
            found.begun, found.started = True, timestamp
            self._begun(split_tags(key[0])[0])

    def _attach(self, key: tuple[str, str], name: str, content: bytes) -> None:
        found = self._open.get(key)
        if found is None:
            return
        kept = found.files.setdefault(name[:200], bytearray()) if len(found.files) < 20 else bytearray()
        kept += content
        del kept[:-_MOST_KEPT]

    def _end(self, key: tuple[str, str], state: CaseState, timestamp: datetime | None) -> None:
        found = self._open.pop(key)
        self._ended(_case(key[0], state, found, timestamp))

    def startTestRun(self) -> None:  # noqa: N802 - testtools' name
        """Take the beginning of a stream for what it is."""

    def stopTestRun(self) -> None:  # noqa: N802 - testtools' name
        """Take its end for what it is."""

    def noise(self, data: bytes) -> None:
        """Keep the end of what is not subunit."""
        self._noise += len(data)
        if self._noise > _MOST_NOISE:
            raise ResultsUnreadable("the stream is mostly not subunit", hint="is it the right file, and format?")
        self.heard.noise = (self.heard.noise + data.decode(errors="replace"))[-_NOISE_KEPT:]

    def close(self) -> None:
        """Give what began and never ended."""
        for (test_id, _), found in list(self._open.items()):
            if found.begun:
                message = "it began, and never ended: its process died, or was ended"
                found.files.setdefault("reason", bytearray(message.encode()))
                self._ended(_case(test_id, CaseState.ERRORED, found, None))
        self._open.clear()


def _case(test_id: str, state: CaseState, found: _Open, ended: datetime | None) -> Case:
    name, tags = split_tags(test_id)
    texts = {name: bytes(content).decode(errors="replace") for name, content in found.files.items()}
    detail = _detail(texts) if state in (CaseState.FAILED, CaseState.ERRORED, CaseState.XFAIL) else ""
    reason = texts.get("reason", "").strip()
    workers = sorted(tag for tag in found.tags if tag.startswith("worker-"))
    return Case(
        name=bounded(name),
        state=state,
        started_ns=since_epoch(found.started or ended),
        duration_ns=max(0, since_epoch(ended) - since_epoch(found.started)) if found.started and ended else 0,
        message=(reason or first_line(detail))[:LONGEST_MESSAGE],
        detail=shortened(detail),
        tags=tuple(sorted({*tags, *(tag for tag in found.tags if not tag.startswith("worker-"))})),
        worker=workers[0].removeprefix("worker-") if workers else "",
    )


def _detail(texts: dict[str, str]) -> str:
    """Return the tracebacks among what is attached: a test that fails twice (in its cleanup as well) has two."""
    return "\n".join(text.strip() for name, text in texts.items() if name.startswith("traceback")).strip()


def looks_like_subunit(beginning: bytes) -> bool:
    """Whether bytes begin as a stream of version 2 does."""
    return beginning.startswith(_SIGNATURE)
