"""What earlier attempts of a step have measured already, from the parts that the journal has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path

from rallyflow.bench.load.spec import Shape
from rallyflow.model.records import Part
from rallyflow.model.step import PartBook
from rallyflow.results.parts import is_whole

Ranges = tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a load: iterations as [first, end) numbers, or the seconds that are left."""

    ranges: Ranges
    seconds: float | None
    measured: int  # iterations that earlier attempts have booked
    failed: int  # of them

    @property
    def nothing(self) -> bool:
        """Whether the load is complete."""
        return self.seconds <= 0 if self.seconds is not None else not self.ranges

    @property
    def count(self) -> int:
        """How many iterations are left; 0 when a time limits them."""
        return sum(end - first for first, end in self.ranges if end is not None)


def drop_torn(book: PartBook, log: Logger) -> None:
    """Forget what earlier attempts measured and nobody can read any more, so that it is measured again.

    The parts of one flush stand and fall together: iterations without their actions count as little as the other way.
    """
    booked = book.mine()
    torn = {_flush(part) for part in booked if not is_whole(part.path, part.rows)}
    lost = [part for part in booked if _flush(part) in torn]
    if lost:
        rows = sum(part.rows for part in lost if part.table == "iterations")
        log.warning("%d parts are damaged or missing: their %d iterations are measured again", len(lost), rows)
        book.drop(lost)


def _flush(part: Part) -> tuple[Path, str]:
    """Return what the parts share that were written together: `iterations-0-3` and `actions-0-3`."""
    return part.path.parent, part.path.stem.partition("-")[2]


def rest_of(shape: Shape, parts: Sequence[Part]) -> Rest:
    """Return what is left of a load when `parts` of the table `iterations` are booked."""
    booked = [_read(part) for part in parts]
    numbers = sorted(number for one in booked for number in one.numbers)
    failed = sum(one.failed for one in booked)
    if shape.duration is not None:
        beyond = numbers[-1] + 1 if numbers else 0
        return Rest(((beyond, None),), shape.duration - _seconds(parts, booked), len(numbers), failed)
    return Rest(tuple(_gaps(numbers, shape.iterations or 0)), None, len(numbers), failed)


@dataclass(frozen=True, slots=True)
class _Booked:
    numbers: list[int]
    failed: int
    first_ns: int
    last_ns: int


def _read(part: Part) -> _Booked:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(part.path, columns=["iteration", "started_ns", "error_type"])
    starts = pc.min_max(table["started_ns"]).as_py()
    failed = len(table) - table["error_type"].null_count
    return _Booked(table["iteration"].to_pylist(), failed, starts["min"], starts["max"])


def _seconds(parts: Sequence[Part], booked: Sequence[_Booked]) -> float:
    """Return for how long earlier attempts started iterations: each from its first start to its last."""
    total = 0
    for attempt in {part.attempt for part in parts}:
        mine = [one for part, one in zip(parts, booked, strict=True) if part.attempt == attempt]
        total += max(one.last_ns for one in mine) - min(one.first_ns for one in mine)
    return total / 1e9


def _gaps(numbers: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """Return the [first, end) ranges below `end` that sorted `numbers` leave out."""
    expected = 0
    for number in (*numbers, end):
        if expected >= end:
            return
        if number > expected:
            yield expected, min(number, end)
        expected = max(expected, number + 1)
