from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.stats.trend import mann_kendall, theil_sen, trend


def test_a_line_has_its_own_slope_and_is_notable():
    found = trend([(x, 0.129 + 0.0133 * x) for x in range(0, 200, 10)])
    assert found.slope == pytest.approx(0.0133)
    assert (found.first, found.last) == (pytest.approx(0.129), pytest.approx(0.129 + 0.0133 * 190))
    assert found.notable


def test_noise_without_a_trend_is_rarely_notable():
    rng = random.Random(3)  # noqa: S311 - noise, not a secret
    found = [trend([(x, rng.gauss(10, 3)) for x in range(20)]) for _ in range(300)]
    assert sum(one.notable for one in found) <= 9


def test_a_real_but_tiny_growth_is_not_notable():
    found = trend([(x, 100 + 0.01 * x) for x in range(20)])
    assert found.p_value < 0.001
    assert not found.notable


def test_one_outlier_does_not_bend_the_slope():
    points = [(x, 2.0 * x) for x in range(20)]
    points[3] = (3, 1e6)
    assert theil_sen(points) == pytest.approx(2.0)


def test_fewer_than_eight_points_are_no_trend():
    assert trend([(x, x) for x in range(7)]) is None


def test_the_p_value_is_that_of_the_normal_approximation_with_ties():
    # by hand: S = 14, var = (6 * 5 * 17 - 2 * 1 * 9) / 18 = 27.33, z = 13 / 5.228 = 2.4865
    assert mann_kendall([1, 2, 3, 3, 4, 6]) == pytest.approx(0.0129, abs=0.0001)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_reversing_time_keeps_the_p_value(values):
    assert mann_kendall(values) == pytest.approx(mann_kendall(values[::-1]))


@given(st.floats(-1e3, 1e3), st.integers(2, 30))
def test_equal_values_are_no_trend(value, count):
    assert mann_kendall([value] * count) == 1.0
