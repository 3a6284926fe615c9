import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.clouds.embedded.speed import Latency
from rallyflow.clouds.embedded.stages import Stage, randomness, sampler

durations = st.lists(st.floats(0.001, 10), min_size=1, max_size=30)
arrivals = st.lists(st.floats(0, 20), min_size=1, max_size=30).map(sorted)


@given(durations)
def test_one_worker_takes_as_long_as_all_jobs_together(times):
    stage = Stage(1)
    finishes = [stage.book(0.0, time) for time in times]
    assert finishes[-1] == pytest.approx(sum(times))


@given(durations)
def test_enough_workers_make_nobody_wait(times):
    stage = Stage(len(times))
    assert [stage.book(0.0, time) for time in times] == times


@given(arrivals, st.integers(1, 5), st.floats(0.01, 5))
def test_jobs_of_equal_length_end_in_the_order_of_their_arrival(moments, workers, time):
    stage = Stage(workers)
    finishes = [stage.book(moment, time) for moment in moments]
    assert finishes == sorted(finishes)
    assert all(end >= moment + time for moment, end in zip(moments, finishes, strict=True))


@given(arrivals, st.integers(1, 5), st.floats(0.01, 5))
def test_no_more_jobs_are_served_at_once_than_there_are_workers(moments, workers, time):
    stage = Stage(workers)
    ends = [stage.book(moment, time) for moment in moments]
    starts = [end - time for end in ends]
    for moment in starts:
        at_work = sum(s <= moment + 1e-9 < e - 1e-9 for s, e in zip(starts, ends, strict=True))
        assert at_work <= workers


@pytest.mark.parametrize("distribution", ["constant", "uniform", "normal", "lognormal", "exponential"])
def test_every_distribution_has_the_mean_that_was_asked_for(distribution):
    draw = sampler(Latency(mean=0.2, distribution=distribution, spread=0.3), randomness(1, "x"))
    drawn = [draw() for _ in range(20_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.2, rel=0.02)
    assert min(drawn) >= 0


@pytest.mark.parametrize("distribution", ["uniform", "normal", "lognormal", "exponential"])
def test_the_same_seed_draws_the_same_times(distribution):
    latency = Latency(mean=0.2, distribution=distribution)
    first, second = sampler(latency, randomness(7, "nova")), sampler(latency, randomness(7, "nova"))
    assert [first() for _ in range(50)] == [second() for _ in range(50)]


@pytest.mark.parametrize("distribution", ["constant", "uniform", "normal", "lognormal", "exponential"])
def test_a_mean_of_zero_takes_no_time(distribution):
    assert sampler(Latency(mean=0, distribution=distribution), randomness(1, "x"))() == 0
