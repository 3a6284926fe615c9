from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from rallyflow.bench.load.coordinator import deal
from rallyflow.bench.load.owner import Owner
from rallyflow.bench.load.spec import Shape
from rallyflow.bench.load.watermark import Rest, _gaps, rest_of
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Part
from rallyflow.results.parts import write_part


def part(folder, name, starts, *, attempt=1, failed=()):
    """A booked part with an iteration for each number, which began at that many seconds."""
    count = len(starts)
    owner = Owner("r", "s", attempt)
    columns = owner.columns(count) | {
        "iteration": list(starts),
        "process": [0] * count,
        "thread": [0] * count,
        "planned_ns": [int(at * 1e9) for at in starts.values()],
        "started_ns": [int(at * 1e9) for at in starts.values()],
        "duration_ns": [1] * count,
        "idle_ns": [0] * count,
        "error_type": ["StepError" if number in failed else None for number in starts],
        "error_message": [None] * count,
        "error_action": [None] * count,
    }
    table, path, rows = write_part(folder, name, "iterations", columns)
    return Part(RunId("r"), StepId("s"), attempt, table, path, rows)


def test_what_is_booked_is_not_run_again(tmp_path):
    parts = [
        part(tmp_path, "a", {0: 0, 1: 1, 4: 2}, failed=(4,)),
        part(tmp_path, "b", {3: 5}, attempt=2),
    ]

    rest = rest_of(Shape(2, iterations=7), parts)

    assert rest == Rest(((2, 3), (5, 7)), None, measured=4, failed=1)
    assert (rest.count, rest.nothing) == (3, False)
    assert rest_of(Shape(2, iterations=2), parts[:1]).nothing


def test_a_load_by_time_goes_on_for_the_time_that_is_left(tmp_path):
    parts = [part(tmp_path, "a", {0: 100, 1: 102}), part(tmp_path, "b", {2: 1000, 3: 1003}, attempt=2)]

    rest = rest_of(Shape(2, duration=10), parts)

    assert rest == Rest(((4, None),), 5.0, measured=4, failed=0)
    assert rest_of(Shape(2, duration=5), parts).nothing


@given(st.sets(st.integers(0, 60)), st.integers(1, 60))
def test_gaps_are_what_is_not_there(numbers, end):
    found = [number for first, last in _gaps(sorted(numbers), end) for number in range(first, last)]

    assert found == [number for number in range(end) if number not in numbers]


@given(st.sets(st.integers(0, 40)), st.integers(1, 40), st.integers(1, 12), st.integers(1, 6))
def test_shards_run_every_iteration_that_is_left_exactly_once(numbers, end, concurrency, cores):
    rest = Rest(tuple(_gaps(sorted(numbers), end)), None, len(numbers), 0)
    if rest.nothing:
        return
    shards = deal(rest, concurrency, cores)

    run = [number for shard in shards for number in shard.numbers()]
    assert sorted(run) == [number for number in range(end) if number not in numbers]
    assert sum(len(shard.lanes) for shard in shards) == min(concurrency, rest.count)
    assert len(shards) <= cores


def test_shards_of_a_load_by_time_never_share_a_number():
    shards = deal(Rest(((10, None),), 5.0, 0, 0), 3, 2)

    numbers = [set(islice(shard.numbers(), 100)) for shard in shards]
    assert not numbers[0] & numbers[1]
    assert min(numbers[0] | numbers[1]) == 10
