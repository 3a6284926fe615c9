"""Runs of what failed, merged with what was there before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rallyflow.verifiers.case import LONGEST_MESSAGE, Case, CaseState
from rallyflow.verifiers.lists import Listed, Reasons

_AGAIN = frozenset({CaseState.FAILED, CaseState.ERRORED})


def again(tests: Sequence[Listed], cases: Sequence[Case], expected: Reasons) -> list[Listed]:
    """Return the tests to run again: those that failed or have no result, but for those expected to fail."""
    failed = {case.name for case in cases if case.state in _AGAIN and expected.for_test(case.name) is None}
    return [test for test in tests if test.name in failed]


def merged(before: Sequence[Case], rerun: Sequence[Case], cut: str) -> list[Case]:
    """Return the cases, each as its last run left it, with the number of its runs.

    A rerun that was cut short takes no result away: a test that it did not come to stays as it was.
    """
    by_name = {case.name: case for case in rerun}
    return [_latest(case, by_name.pop(case.name, None), cut) for case in before] + list(by_name.values())


def _latest(before: Case, after: Case | None, cut: str) -> Case:
    if after is None or (cut and after.state is CaseState.ERRORED):
        return before
    message = after.message
    if after.state is CaseState.PASSED:
        message = f"failed before: {before.message}"[:LONGEST_MESSAGE]
    return replace(after, attempts=before.attempts + 1, message=message, detail=after.detail or before.detail)
