from __future__ import annotations

import statistics

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rallyflow.stats.cells import Action, Cell
from rallyflow.stats.envelope import envelopes
from rallyflow.stats.histogram import histograms
from rallyflow.stats.profile import profiles
from rallyflow.stats.summary import actions, iterations, summarise

LOAD = Cell("r", "load")
SNAPSHOT = ("boot", "image", "delete", "boot", "delete", "unimage")


def labels(found):
    return [row.action.label for row in found[LOAD]]


def test_a_summary_is_that_of_the_sorted_values(rows):
    seconds = [(n * 37 % 101) / 10 + 0.1 for n in range(101)]
    for number, value in enumerate(seconds):
        rows.iteration(number, value)
    found = iterations(rows.ready())[LOAD]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    assert (found.count, found.ok, found.success) == (101, 101, 1.0)
    assert found.durations.min == pytest.approx(min(seconds))
    assert found.durations.max == pytest.approx(max(seconds))
    assert found.durations.mean == pytest.approx(statistics.fmean(seconds))
    for name, percent in (("median", 50), ("p90", 90), ("p95", 95), ("p99", 99)):
        assert getattr(found.durations, name) == pytest.approx(cuts[percent - 1])
    ordered = sorted(seconds)
    low, high = found.durations.median_interval
    assert (low, high) == (pytest.approx(ordered[41 - 1]), pytest.approx(ordered[61 - 1]))


def test_failures_count_but_their_durations_do_not(rows):
    rows.iteration(0, 2.0)
    rows.iteration(1, 0.001, error="CloudRefused")
    found = iterations(rows.ready())[LOAD]
    assert (found.count, found.ok, found.failed, found.success) == (2, 1, 1, 0.5)
    assert found.durations.mean == pytest.approx(2.0)
    assert found.durations.median_interval is None


def test_a_cell_in_which_everything_failed_has_no_durations(rows):
    rows.iteration(0, 1.0, error="TimedOut")
    found = iterations(rows.ready())[LOAD]
    assert (found.count, found.ok, found.durations) == (1, 0, None)


def test_without_rows_there_are_no_cells(rows):
    connection = rows.ready()
    assert iterations(connection) == actions(connection) == {}
    assert envelopes(connection, 10) == profiles(connection, 10) == histograms(connection, {}) == {}


def test_actions_of_the_same_name_are_kept_apart_by_their_place(rows):
    for number in range(3):
        for position, name in enumerate(SNAPSHOT):
            rows.action(number, position, name, position + 1)
    found = actions(rows.ready())
    assert labels(found) == ["boot", "image", "delete", "boot (2)", "delete (2)", "unimage"]
    assert [row.summary.durations.mean for row in found[LOAD]] == [1, 2, 3, 4, 5, 6]


def test_an_iteration_that_broke_off_does_not_shift_the_others(rows):
    for position, name in enumerate(SNAPSHOT):
        rows.action(0, position, name, 1)
    for position, name in enumerate(SNAPSHOT[:4]):
        rows.action(1, position, name, 1, ok=position < 3)
    found = {row.action.label: row.summary for row in actions(rows.ready())[LOAD]}
    assert (found["boot (2)"].count, found["boot (2)"].ok) == (2, 1)
    assert found["delete (2)"].count == 1


def test_behind_a_branch_actions_are_counted_within_each_iteration(rows):
    for position, name in enumerate(("boot", "list", "list")):
        rows.action(0, position, name, 1)
    for position, name in enumerate(("boot", "attach", "list")):
        rows.action(1, position, name, 1)
    found = {row.action.label: row.summary.count for row in actions(rows.ready())[LOAD]}
    assert found == {"boot": 2, "attach": 1, "list": 2, "list (2)": 1}


def test_a_loop_of_many_rounds_is_one_row(rows):
    for position in range(50):
        rows.action(0, position, "list", 1)
    assert [(row.action, row.summary.count) for row in actions(rows.ready())[LOAD]] == [(Action("list", 0), 50)]


def test_few_iterations_are_all_drawn_as_they_are(rows):
    for number, seconds in enumerate((1.0, 3.0, 2.0)):
        rows.iteration(number, seconds, started=10 - number, error="X" if number == 1 else None)
        rows.action(number, 0, "boot", seconds - 0.5)
    found = envelopes(rows.ready(), 10)[LOAD]
    assert found.exact
    assert [bucket.middle for bucket in found.buckets] == [2.0, 3.0, 1.0]  # in the order of starts
    assert [bucket.failed for bucket in found.buckets] == [0, 1, 0]
    assert found.actions[Action("boot", 1)] == (1.5, 2.5, 0.5)
    assert found.outside == pytest.approx((0.5, 0.5, 0.5))


def test_an_envelope_keeps_the_one_spike_among_many(rows):
    for number in range(1000):
        rows.iteration(number, 60.0 if number == 777 else 1.0)
    found = envelopes(rows.ready(), 50)[LOAD]
    assert len(found.buckets) == 50
    assert not found.exact
    assert [bucket.longest for bucket in found.buckets].count(60.0) == 1
    assert {bucket.middle for bucket in found.buckets} == {1.0}
    assert sum(bucket.last - bucket.first + 1 for bucket in found.buckets) == 1000


def test_nested_actions_are_in_the_table_but_not_stacked_twice(rows):
    rows.iteration(0, 3.0)
    rows.action(0, 0, "snapshot", 3.0)
    rows.action(0, 1, "wait", 2.0, parent=0)
    connection = rows.ready()
    assert [(row.action.name, row.parent) for row in actions(connection)[LOAD]] == [
        ("snapshot", -1),
        ("wait", 0),
    ]
    assert list(envelopes(connection, 5)[LOAD].actions) == [Action("snapshot", 1)]


def test_a_load_profile_is_the_exact_mean_of_what_ran_at_the_time(rows):
    rows.iteration(0, 4.0, started=0)
    rows.iteration(1, 2.0, started=1)
    rows.iteration(2, 0.5, started=3, idle=0.5)
    found = profiles(rows.ready(), 4)[LOAD]
    assert found.width == 1.0
    assert found.mean == pytest.approx((1, 2, 2, 2))
    assert found.highest == (1, 2, 2, 2)


spans = st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 30)), min_size=1, max_size=12)


@given(spans=spans)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_area_under_a_load_profile_is_the_time_of_all_iterations(rows, spans):
    rows.connection.execute("DELETE FROM iterations_rows")
    for number, (started, seconds) in enumerate(spans):
        rows.iteration(number, seconds, started=started)
    found = profiles(rows.ready(), 20)[LOAD]
    assert sum(found.mean) * found.width == pytest.approx(sum(seconds for _, seconds in spans), rel=1e-4, abs=1e-4)
    assert all(mean <= most + 1e-6 for mean, most in zip(found.mean, found.highest, strict=True))


@given(values=st.lists(st.integers(1, 10**11), min_size=1, max_size=60))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_histogram_counts_every_success_in_its_bin(rows, values):
    rows.connection.execute("DELETE FROM iterations_rows")
    for number, value in enumerate(values):
        rows.iteration(number, value / 1e9)
    rows.iteration(len(values), 1000.0, error="X")
    connection = rows.ready()
    found = histograms(connection, iterations(connection))[LOAD]
    assert sum(found.counts) == len(values)
    assert list(found.edges) == sorted(found.edges)
    assert found.edges[0] <= min(values) / 1e9 * 1.0001
    assert found.edges[-1] >= max(values) / 1e9 * 0.9999


def test_a_histogram_with_a_long_tail_has_growing_bins(rows):
    for number in range(200):
        rows.iteration(number, 500.0 if number == 0 else 1.0 + number / 1000)
    connection = rows.ready()
    assert histograms(connection, iterations(connection))[LOAD].logarithmic


def test_equal_durations_are_one_bin(rows):
    for number in range(5):
        rows.iteration(number, 2.0)
    connection = rows.ready()
    assert histograms(connection, iterations(connection))[LOAD].counts == (5,)


def test_cells_do_not_mix(rows):
    rows.iteration(0, 1.0, step="a")
    rows.iteration(0, 2.0, step="b")
    rows.action(0, 0, "boot", 1.0, step="a")
    rows.action(0, 0, "list", 2.0, step="b")
    connection = rows.ready()
    assert {cell.step: found.durations.mean for cell, found in iterations(connection).items()} == {
        "a": 1,
        "b": 2,
    }
    assert {
        cell.step: [action.name for action in found.actions] for cell, found in envelopes(connection, 5).items()
    } == {
        "a": ["boot"],
        "b": ["list"],
    }


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_a_summary_of_values_is_ordered(values):
    found = summarise(values)
    assert found.min <= found.median <= found.p90 <= found.p95 <= found.p99 <= found.max
    assert found.min <= found.mean * (1 + 1e-12)
    assert found.mean <= found.max * (1 + 1e-12)
