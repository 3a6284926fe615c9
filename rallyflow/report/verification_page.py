"""Turns verifications, one or any number of them, into one HTML file without network, in the look of every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rallyflow.report import words
from rallyflow.report.gather import made
from rallyflow.report.page import environment, hash_of, markup, read
from rallyflow.report.verifications import STATES, WORDS, Loaded
from rallyflow.results.verifications import Compared, Comparison

MOST_TESTS = 20_000
MOST_DETAILS = 400
"""Tests of which the tracebacks are in the page."""
LONGEST_DETAIL = 6_000  # characters
_ALWAYS = ("passed", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Group:
    """The tests of one part of the cloud, counted."""

    name: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """How many tests it has."""
        return sum(self.counts.values())


def page(found: Sequence[Loaded], compared: Comparison, *, judge: bool) -> str:
    """Return the page; `judge` says whether what has changed matters, as in a comparison, or only what is."""
    shown = compared.tests[:MOST_TESTS] if judge else sorted(compared.tests[:MOST_TESTS], key=_weight)
    script = read("templates/tests.js")
    last = found[-1]
    return (
        environment()
        .get_template("verification.html")
        .render(
            found=found,
            compared=compared,
            judge=judge,
            tests=shown,
            hidden=len(compared.tests) - len(shown),
            groups=groups([(test.name, test.state) for test in last.tests]),
            changes={str(change): count for change, count in compared.counts.items() if count},
            states=[state for state in STATES if state in _ALWAYS or any(each.counts[state] for each in found)],
            said=WORDS,
            details=_details(shown),
            title=f"{last.run.name}: {last.step.id}" if len(found) == 1 else f"{len(found)} verifications",
            style=markup(read("templates/page.css")),
            script=markup(script),
            hashes=[hash_of(script)],
            made=made(),
            words=words,
        )
    )


def groups(tests: Sequence[tuple[str, str]]) -> list[Group]:
    """Return the counts by the first parts of the tests' names that tell them apart, such as tempest.api.compute."""
    parts = Counter(_group(name) for name, _ in tests)
    counted = {name: dict.fromkeys(STATES, 0) for name, _ in parts.most_common(30)}
    for name, state in tests:
        if _group(name) in counted and state in STATES:
            counted[_group(name)][state] += 1
    found = [Group(name, counts) for name, counts in sorted(counted.items())]
    return found if len(found) > 1 else []


def _group(name: str) -> str:
    parts = name.partition("(")[0].partition("[")[0].split(".")
    return (
        ".".join(parts[:3])
        if parts[0] == "tempest" and len(parts) > 3 and parts[1] == "api"
        else ".".join(parts[:-1][:2])
    )


def _weight(test: Compared) -> tuple[int, str]:
    order = ("failed", "errored", "uxsuccess", "xfail", "passed", "skipped")
    state = test.seen[-1].state if test.seen[-1] else "passed"
    return (order.index(state) if state in order else 9), test.name


def _details(tests: Sequence[Compared]) -> dict[str, str]:
    """Return the tracebacks that are shown: of the last verification, of the first tests that have one."""
    having = [test for test in tests if test.seen[-1] and test.seen[-1].detail][:MOST_DETAILS]
    return {test.name: test.seen[-1].detail[-LONGEST_DETAIL:] for test in having if test.seen[-1]}
