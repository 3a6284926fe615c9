"""One test of a verification, as every verifier, file format and report knows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from rallyflow.model.values import Verification

LONGEST_NAME = 2_000
"""Characters of a test's name; its beginning is what matters."""
LONGEST_MESSAGE = 2_000
"""Characters of the sentence that says why a test failed or was skipped."""
LONGEST_DETAIL = 20_000
"""Characters of a traceback; its end is what matters."""
_OWN_LINES = 3
_LONGEST_SUMMARY = 600  # characters
_TAGGED = re.compile(r"^(?P<before>.*?)\[(?P<tags>[^\[\]]*\bid-[0-9a-f-]{36}[^\[\]]*)\](?P<after>.*)$")


class CaseState(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAIL = "xfail"  # failed, as was expected of it
    UXSUCCESS = "uxsuccess"  # passed, though it was expected to fail: whoever expected that has to look
    ERRORED = "errored"  # was to run, and has no result: its process ended, or the time was over

    @property
    def bad(self) -> bool:
        """Whether the verification fails with it."""
        return self in BAD


BAD = frozenset({CaseState.FAILED, CaseState.UXSUCCESS, CaseState.ERRORED})


@dataclass(frozen=True, slots=True)
class Case:
    """One test. Times are nanoseconds, `started_ns` since the epoch (UTC), 0 where nobody knows."""

    name: str
    state: CaseState
    started_ns: int = 0
    duration_ns: int = 0
    message: str = ""  # why it failed, was skipped, or was expected to fail
    detail: str = ""  # the traceback
    tags: tuple[str, ...] = ()
    worker: str = ""
    attempts: int = 1  # more than one: it was run again because it had failed

    @property
    def flaky(self) -> bool:
        """Whether it passed only when it was run again."""
        return self.state is CaseState.PASSED and self.attempts > 1


def split_tags(identity: str) -> tuple[str, tuple[str, ...]]:
    """Return a test's name and tags from how Tempest writes both: `package.Class.test[id-…,smoke]`."""
    match = _TAGGED.match(identity)
    if match is None:
        return identity, ()
    return match["before"] + match["after"], tuple(sorted(tag.strip() for tag in match["tags"].split(",")))


def first_line(detail: str) -> str:
    """Return the lines of a traceback that say what was wrong, as one: the first of the exception's own."""
    lines = [line for line in detail.strip().splitlines() if line.strip()]
    stack = max((number for number, line in enumerate(lines) if line.startswith((" ", "Traceback "))), default=-1)
    own = lines[stack + 1 :] or lines[-1:]
    return " ".join(line.strip() for line in own[:_OWN_LINES])[:_LONGEST_SUMMARY]


def shortened(detail: str) -> str:
    """Return a traceback of bearable length: the end of it."""
    return detail if len(detail) <= LONGEST_DETAIL else f"[...]\n{detail[-LONGEST_DETAIL:]}"


def bounded(name: str) -> str:
    """Return a test's name of bearable length: the beginning of it."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}[...]"


def since_epoch(moment: datetime | None) -> int:
    """Return a time, UTC unless it says another zone, in nanoseconds since the epoch; 0 for one that can't be meant.

    That is what lies before the epoch, or after what 64 bits hold (in the year 2262).
    """
    if moment is None:
        return 0
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = ((elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds) * 1_000
    return nanoseconds if 0 <= nanoseconds < 1 << 63 else 0


def totals(step: str, cases: Iterable[Case], **more: str) -> Verification:
    """Return the counts of a verification; `more` are versions of what verified."""
    cases = list(cases)
    counts = Counter(case.state for case in cases)
    return Verification(
        step=step,
        **{state.value: counts[state] for state in CaseState},
        flaky=sum(case.flaky for case in cases),
        versions=more,
    )


def summary(verification: Verification, what: str = "tests") -> str:
    """Return the counts as a sentence's part: `210 of 214 tests passed, 3 failed, 1 skipped`."""
    total = sum(getattr(verification, state.value) for state in CaseState)
    names = {"uxsuccess": "passed unexpectedly", "xfail": "failed as expected", "errored": "without a result"}
    others = [
        f"{count} {names.get(state.value, state.value)}"
        for state in (CaseState.FAILED, CaseState.ERRORED, CaseState.UXSUCCESS, CaseState.XFAIL, CaseState.SKIPPED)
        if (count := getattr(verification, state.value))
    ]
    flaky = [f"{verification.flaky} only when run again"] if verification.flaky else []
    return ", ".join([f"{verification.passed} of {total} {what} passed", *flaky, *others])
