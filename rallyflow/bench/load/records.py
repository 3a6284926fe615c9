"""What a thread books of an iteration, and how many of them become the columns of a part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from rallyflow.bench.load.owner import Owner
from rallyflow.bench.load.program import ROW


class Failed(NamedTuple):
    """Why an iteration failed; `action` is a number of the plan's names, or None outside of any."""

    type: str
    message: str
    action: int | None


Record = tuple[int, int, int, int, int, "Failed | None", list[int]]
"""An iteration: number, lane, start, duration without idle, idle (monotonic ns), error, rows of actions."""


def iteration_columns(
    records: Sequence[Record], owner: Owner, process: int, names: Sequence[str], offset_ns: int
) -> dict[str, Any]:
    """Return the columns of the table `iterations`."""
    import pyarrow as pa

    numbers, lanes, starts, durations, idles, errors, _ = zip(*records, strict=True)
    started = _shifted(starts, offset_ns)
    return owner.columns(len(records)) | {
        "iteration": pa.array(numbers, pa.int64()),
        "process": pa.repeat(pa.scalar(process, pa.int16()), len(records)),
        "thread": pa.array(lanes, pa.int16()),
        "planned_ns": started,
        "started_ns": started,
        "duration_ns": pa.array(durations, pa.int64()),
        "idle_ns": pa.array(idles, pa.int64()),
        "error_type": pa.array([e and e.type for e in errors], pa.string()),
        "error_message": pa.array([e and e.message for e in errors], pa.string()),
        "error_action": pa.array(
            [None if e is None or e.action is None else names[e.action] for e in errors], pa.string()
        ),
    }


def action_columns(records: Sequence[Record], owner: Owner, names: Sequence[str], offset_ns: int) -> dict[str, Any]:
    """Return the columns of the table `actions`, in the order of the iterations."""
    import pyarrow as pa

    counts = [len(record[6]) // ROW for record in records]
    flat = list(chain.from_iterable(record[6] for record in records))
    columns = [flat[place::ROW] for place in range(ROW)]
    name, started, duration, ok, requests, http_ns, poll_ns = columns
    total = len(name)
    indexes = pa.array(name, pa.int32())
    return owner.columns(total) | {
        "iteration": pa.array(
            chain.from_iterable([record[0]] * n for record, n in zip(records, counts, strict=True)),
            pa.int64(),
        ),
        "position": pa.array(chain.from_iterable(map(range, counts)), pa.int16()),
        "parent": pa.repeat(pa.scalar(-1, pa.int16()), total),
        "name": pa.DictionaryArray.from_arrays(indexes, pa.array(names, pa.string())).cast(pa.string()),
        "started_ns": _shifted(started, offset_ns),
        "duration_ns": pa.array(duration, pa.int64()),
        "ok": pa.array(ok, pa.int8()).cast(pa.bool_()),
        "requests": pa.array(requests, pa.int32()),
        "http_ns": pa.array(http_ns, pa.int64()),
        "poll_ns": pa.array(poll_ns, pa.int64()),
    }


def _shifted(times: Sequence[int], offset_ns: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.add(pa.array(times, pa.int64()), pa.scalar(offset_ns, pa.int64()))
