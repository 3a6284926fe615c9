"""Compares verifications, any number of them, test by test. Pure: rows in, verdicts out.

The first verification is what the others are compared with; a test's verdict is about the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rallyflow.results.queries import Test

BAD = frozenset({"failed", "errored", "uxsuccess"})
_RAN = frozenset({"passed", "failed", "xfail", "uxsuccess"})


class Change(StrEnum):
    """What became of a test from the first verification to the last."""

    NEW_FAILURE = "new failure"  # is bad, and was not
    STILL_BAD = "still failing"
    SLOWER = "slower"
    GONE = "gone"
    DIFFERENT = "different"  # such as skipped now, and passed before
    NEW = "new"  # was not there, and is good now
    FIXED = "fixed"  # was bad, and is not
    FASTER = "faster"
    SAME = "same"


ORDER = tuple(Change)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is let pass. A test is slower, or faster, when both thresholds are exceeded."""

    percent: float = 50.0
    seconds: float = 1.0
    new_failures: int = 0
    slower: int | None = None  # how many tests may be slower; None is any number
    gone: int | None = None  # how many tests may be missing, likewise


@dataclass(frozen=True, slots=True)
class Seen:
    """A test as one verification has it."""

    state: str
    seconds: float
    message: str = ""
    detail: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """A test in all verifications; None where one does not have it."""

    name: str
    seen: tuple[Seen | None, ...]
    change: Change
    ratio: float | None = None  # of the last duration to the first; None where one of them says nothing


@dataclass(frozen=True, slots=True)
class Comparison:
    """All tests, what matters most first."""

    tests: tuple[Compared, ...]
    tolerance: Tolerance

    def count(self, change: Change) -> int:
        """Return how many tests have a verdict."""
        return sum(test.change is change for test in self.tests)

    @property
    def counts(self) -> Mapping[Change, int]:
        """How many tests have each verdict, in the order of weight."""
        counts = Counter(test.change for test in self.tests)
        return {change: counts[change] for change in ORDER}

    @property
    def regressed(self) -> bool:
        """Whether more has become worse than is let pass."""
        limits = {
            Change.NEW_FAILURE: self.tolerance.new_failures,
            Change.SLOWER: self.tolerance.slower,
            Change.GONE: self.tolerance.gone,
        }
        return any(limit is not None and self.count(change) > limit for change, limit in limits.items())

    @property
    def sentence(self) -> str:
        """What a person wants to know first."""
        counted = [f"{count} {change}" for change, count in self.counts.items() if count]
        return f"{'regressed' if self.regressed else 'no regression'}: {', '.join(counted) or 'no tests'}"


def compare(verifications: Sequence[Sequence[Test]], tolerance: Tolerance) -> Comparison:
    """Return the comparison of at least two verifications, each given as its tests."""
    tables = [_by_name(tests) for tests in verifications]
    names = sorted({name for table in tables for name in table})
    compared = [_compared(name, tuple(table.get(name) for table in tables), tolerance) for name in names]
    return Comparison(tuple(sorted(compared, key=lambda test: (ORDER.index(test.change), test.name))), tolerance)


def _by_name(tests: Sequence[Test]) -> dict[str, Seen]:
    """Return the tests by name; of several with one name, such as those of two packages, the worst counts."""
    found: dict[str, Seen] = {}
    for test in tests:
        seen = Seen(test.state, test.seconds, test.message, test.detail, test.attempts)
        known = found.get(test.name)
        if known is None or (seen.state in BAD and known.state not in BAD):
            found[test.name] = seen
    return found


def _compared(name: str, seen: tuple[Seen | None, ...], tolerance: Tolerance) -> Compared:
    first, last = seen[0], seen[-1]
    ratio = _ratio(first, last)
    return Compared(name, seen, _change(first, last, tolerance), ratio)


def _change(first: Seen | None, last: Seen | None, tolerance: Tolerance) -> Change:
    if last is None:
        return Change.GONE if first is not None else Change.SAME  # only verifications between them have it
    if last.state in BAD:
        return Change.STILL_BAD if first is not None and first.state in BAD else Change.NEW_FAILURE
    if first is None:
        return Change.NEW
    if first.state in BAD:
        return Change.FIXED
    if first.state != last.state:
        return Change.DIFFERENT
    return _speed(first, last, tolerance)


def _speed(first: Seen, last: Seen, tolerance: Tolerance) -> Change:
    difference = last.seconds - first.seconds
    share = abs(difference) * 100
    if first.state not in _RAN or abs(difference) <= tolerance.seconds or share <= tolerance.percent * first.seconds:
        return Change.SAME
    return Change.SLOWER if difference > 0 else Change.FASTER


def _ratio(first: Seen | None, last: Seen | None) -> float | None:
    if first is None or last is None or not first.seconds:
        return None
    return last.seconds / first.seconds if {first.state, last.state} <= _RAN else None
