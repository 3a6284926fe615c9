from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.results import queries
from rallyflow.results.verifications import BAD, Change, Tolerance, compare


def one(first, last, **tolerance):
    """Return the verdict on a test that is given as (state, seconds), or None, in both verifications."""
    lists = [[queries.Test("a", each[0], each[1], "")] if each else [] for each in (first, last)]
    return compare(lists, Tolerance(**tolerance)).tests[0].change


@pytest.mark.parametrize(
    ("first", "last", "change"),
    [
        (("passed", 1), ("failed", 1), "new failure"),
        (("passed", 1), ("uxsuccess", 1), "new failure"),
        (("skipped", 0), ("errored", 1), "new failure"),
        (None, ("failed", 1), "new failure"),
        (("failed", 1), ("errored", 1), "still failing"),
        (("failed", 1), ("passed", 1), "fixed"),
        (("failed", 1), ("skipped", 0), "fixed"),
        (None, ("passed", 1), "new"),
        (("passed", 1), None, "gone"),
        (("failed", 1), None, "gone"),
        (("passed", 1), ("skipped", 0), "different"),
        (("passed", 1), ("xfail", 1), "different"),
        (("passed", 2), ("passed", 4), "slower"),
        (("passed", 4), ("passed", 1), "faster"),
        (("passed", 2), ("passed", 2.9), "same"),  # less than a second
        (("passed", 10), ("passed", 14), "same"),  # less than half as long again
        (("passed", 0), ("passed", 2), "slower"),
        (("skipped", 0), ("skipped", 9), "same"),
    ],
)
def test_each_pair_has_its_verdict(first, last, change):
    assert one(first, last) == Change(change)


def test_thresholds_decide_what_is_slower():
    assert one(("passed", 10), ("passed", 14), percent=30) is Change.SLOWER
    assert one(("passed", 0.1), ("passed", 0.5), seconds=0.2) is Change.SLOWER


def test_tests_that_are_missing_are_a_regression_when_that_is_asked_for():
    full, part = listing(a="passed", b="passed", c="passed"), listing(a="passed")
    assert not compare([full, part], Tolerance()).regressed
    assert not compare([full, part], Tolerance(gone=2)).regressed
    assert compare([full, part], Tolerance(gone=1)).regressed


def listing(**states):
    return [queries.Test(name, state, 1.0, "") for name, state in states.items()]


def test_new_failures_are_a_regression_unless_as_many_are_allowed():
    before, after = listing(a="passed", b="passed"), listing(a="failed", b="failed")
    assert compare([before, after], Tolerance()).regressed
    assert compare([before, after], Tolerance(new_failures=1)).regressed
    assert not compare([before, after], Tolerance(new_failures=2)).regressed
    assert not compare([after, after], Tolerance()).regressed


def test_slower_tests_are_a_regression_only_when_that_is_asked_for():
    before, after = [queries.Test("a", "passed", 1, "")], [queries.Test("a", "passed", 9, "")]
    assert not compare([before, after], Tolerance()).regressed
    assert compare([before, after], Tolerance(slower=0)).regressed


def test_of_many_the_last_is_judged_against_the_first():
    compared = compare([listing(a="passed"), listing(a="failed"), listing(a="passed")], Tolerance())
    assert compared.tests[0].change is Change.SAME
    assert [seen.state for seen in compared.tests[0].seen] == ["passed", "failed", "passed"]


@pytest.mark.parametrize("state", ["passed", "failed"])
def test_a_test_that_only_verifications_in_between_have_is_not_gone(state):
    compared = compare([listing(a="passed"), listing(a="passed", b=state), listing(a="passed")], Tolerance(gone=0))
    assert {test.name: test.change for test in compared.tests} == {"a": Change.SAME, "b": Change.SAME}
    assert not compared.regressed


def test_of_two_tests_with_one_name_the_worse_counts():
    twice = [queries.Test("a", "failed", 1, ""), queries.Test("a", "passed", 1, "")]
    assert compare([listing(a="passed"), twice], Tolerance()).count(Change.NEW_FAILURE) == 1
    assert compare([listing(a="passed"), twice[::-1]], Tolerance()).count(Change.NEW_FAILURE) == 1


states = st.sampled_from(["passed", "failed", "skipped", "xfail", "uxsuccess", "errored"])
lists = st.dictionaries(st.sampled_from("abcdef"), st.tuples(states, st.floats(0, 100)), max_size=6).map(
    lambda found: [queries.Test(name, state, seconds, "") for name, (state, seconds) in found.items()]
)


@given(lists, lists)
def test_every_test_has_one_verdict_and_failures_are_never_lost(first, last):
    compared = compare([first, last], Tolerance())
    assert {test.name for test in compared.tests} == {test.name for test in [*first, *last]}
    assert sum(compared.counts.values()) == len(compared.tests)
    judged = {test.name for test in compared.tests if test.change in (Change.NEW_FAILURE, Change.STILL_BAD)}
    assert judged == {test.name for test in last if test.state in BAD}


@given(lists)
def test_a_verification_has_not_changed_against_itself(tests):
    compared = compare([tests, tests], Tolerance())
    assert {test.change for test in compared.tests} <= {Change.SAME, Change.STILL_BAD}
    assert not compared.regressed
