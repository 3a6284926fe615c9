from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.stats.intervals import confidence_ranks, place

SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def coverage(count, share, low, high):
    """Return P(X(low) < quantile < X(high)) by the binomial sum of the definition."""
    return math.fsum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(low, high))


@given(count=st.integers(1, 900), share=SHARES)
def test_an_interval_covers_the_quantile_with_at_least_its_confidence(count, share):
    ranks = confidence_ranks(count, share)
    if ranks is not None:
        assert 1 <= ranks.low < ranks.high <= count
        assert coverage(count, share, *ranks) >= 0.95 - 1e-9


@given(count=st.integers(1, 900), share=SHARES)
def test_neither_side_of_an_interval_could_be_drawn_closer(count, share):
    ranks = confidence_ranks(count, share)
    if ranks is not None:
        assert coverage(count, share, 0, ranks.low + 1) > 0.025 - 1e-9
        assert coverage(count, share, ranks.high - 1, count + 1) > 0.025 - 1e-9


@pytest.mark.parametrize(("share", "fewest"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_too_few_values_give_no_interval_at_all(share, fewest):
    assert confidence_ranks(fewest - 1, share) is None
    assert confidence_ranks(fewest, share) is not None


def test_a_known_interval_of_the_median_is_found():
    assert confidence_ranks(100, 0.5) == (40, 61)  # Le Boudec, table A.1


def test_a_million_values_have_an_interval_of_the_width_of_the_normal_approximation():
    low, high = confidence_ranks(1_000_000, 0.95)
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(1e6 * 0.95 * 0.05), rel=0.01)


@given(values=st.lists(st.integers(0, 10**12), min_size=1), share=st.floats(0, 1))
def test_a_quantile_lies_between_its_neighbours(values, share):
    values.sort()
    spot = place(len(values), share)
    low, high = values[spot.low - 1], values[spot.high - 1]
    assert low <= spot.between(low, high) <= high
    assert sum(value < low for value in values) <= share * len(values)
