from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000"),
        (0.0123, "0.012"),
        (1.4, "1.40"),
        (25.24, "25.2"),
        (100.4, "100"),
        (12345.6, "12\u202f346"),
    ],
)
def test_numbers_have_about_three_digits(value, text):
    assert words.digits(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000002, "2.00 µs"), (0.0014, "1.40 ms"), (12.34, "12.3 s"), (0, "0.000 µs")]
)
def test_durations_have_the_unit_that_fits(seconds, text):
    assert words.spell(seconds) == text


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_percentage_is_only_then_0_or_100_when_it_is_exactly(part, whole):
    share = min(part, whole) / whole
    assert (words.percent(share) == "100%") == (share == 1)
    assert (words.percent(share) == "0%") == (share == 0)


def test_values_read_as_in_the_file():
    assert (
        words.axes({"users": 5, "fast_rpc": True, "rate": 0.5, "none": None})
        == "users = 5, fast_rpc = true, rate = 0.5, none = -"
    )
