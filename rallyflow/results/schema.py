"""The columns of every table of measurements, as Parquet parts and DuckDB have them.

Times are nanoseconds since the epoch (UTC), taken from one monotonic clock per process with an offset that was
recorded at its start; durations are nanoseconds of that monotonic clock.
"""

from __future__ import annotations

import pyarrow as pa

_OWNER = [
    pa.field("run", pa.string(), nullable=False),
    pa.field("step", pa.string(), nullable=False),
    pa.field("attempt", pa.int32(), nullable=False),
]

ITERATIONS = pa.schema(
    [
        *_OWNER,
        pa.field("iteration", pa.int64(), nullable=False),  # unique within a step, over all attempts
        pa.field("process", pa.int16(), nullable=False),
        pa.field("thread", pa.int16(), nullable=False),
        pa.field("planned_ns", pa.int64(), nullable=False),  # when it should have started; started_ns in a closed load
        pa.field("started_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),  # without idle_ns
        pa.field("idle_ns", pa.int64(), nullable=False),  # deliberate sleeping of the scenario, not polling
        pa.field("error_type", pa.string()),  # null: the iteration succeeded
        pa.field("error_message", pa.string()),
        pa.field("error_action", pa.string()),  # the action in which it happened, null outside any
    ]
)

ACTIONS = pa.schema(
    [
        *_OWNER,
        pa.field("iteration", pa.int64(), nullable=False),
        pa.field("position", pa.int16(), nullable=False),  # order within the iteration, from 0
        pa.field("parent", pa.int16(), nullable=False),  # position of the enclosing action, -1 at the top
        pa.field("name", pa.string(), nullable=False),
        pa.field("started_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),
        pa.field("ok", pa.bool_(), nullable=False),
        pa.field("requests", pa.int32(), nullable=False),  # HTTP requests made in it
        pa.field("http_ns", pa.int64(), nullable=False),  # time spent in those requests
        pa.field("poll_ns", pa.int64(), nullable=False),  # last poll interval: the resolution of its end, 0 = exact
    ]
)

SLA = pa.schema(
    [
        *_OWNER,
        pa.field("criterion", pa.string(), nullable=False),  # failure_rate, mean, p95, ...
        pa.field("action", pa.string()),  # null: the whole iteration
        pa.field("wanted", pa.string(), nullable=False),  # "<= 30 s"
        pa.field("measured", pa.float64()),  # seconds or a fraction; null when there was no data
        pa.field("passed", pa.bool_(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),  # one sentence for a person
    ]
)

TESTS = pa.schema(
    [
        *_OWNER,
        pa.field("name", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),  # passed, failed, skipped, xfail, uxsuccess, errored
        pa.field("started_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),
        pa.field("message", pa.string(), nullable=False),  # why it failed or was skipped
        pa.field("detail", pa.string()),  # the traceback; null where there is none
        pa.field("tags", pa.string()),  # with commas between them; null where there are none
        pa.field("worker", pa.string()),  # which of the verifier's processes ran it
        pa.field("attempts", pa.int32()),  # more than one: it was run again because it had failed
    ]
)

TELEMETRY = pa.schema(
    [
        *_OWNER,
        pa.field("source", pa.string(), nullable=False),  # generator:0
        pa.field("metric", pa.string(), nullable=False),  # cpu (fraction of one core), rss_bytes, ...
        pa.field("at_ns", pa.int64(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "iterations": ITERATIONS,
    "actions": ACTIONS,
    "sla": SLA,
    "tests": TESTS,
    "telemetry": TELEMETRY,
}
"""Every table of measurements by name."""
