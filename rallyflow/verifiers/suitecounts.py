"""Finds the failures that a suite of JUnit counts, and that none of its tests shows: a class that could not be loaded.

Tools count differently. A suite may count those within it or not, so all that is shown below it is set against its
count; a failure may be one test or one assertion, so elements are compared, of which there are never fewer than of
tests; a test that passed when it was repeated may be counted as a failure, so its first tries are shown ones; and
Boost.Test counts an error as a failure too. Where a count can be explained in such a way, nothing is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from rallyflow.verifiers.verdicts import tag

_NUMBER = re.compile(r"[0-9]{1,9}")  # longer ones are what was subtracted from too little, in unsigned arithmetic
_KINDS = {
    "failure": "failures",
    "flakyFailure": "failures",
    "rerunFailure": "failures",
    "error": "errors",
    "flakyError": "errors",
    "rerunError": "errors",
}


class Counts:
    """What has been shown so far in one file, suite by suite, as they end: inner ones before those around them."""

    def __init__(self) -> None:
        self._shown: Counter[str] = Counter()
        self._before: list[Counter[str]] = []

    def begin(self) -> None:
        """Note that a suite begins."""
        self._before.append(self._shown.copy())

    def show(self, children: Iterable[Element]) -> None:
        """Take up what is in a test, or directly in a suite."""
        self._shown.update(_KINDS[tag(child)] for child in children if tag(child) in _KINDS)

    def missing(self, suite: Element) -> str:
        """Return in words what a suite that ends has counted and not shown; empty when all is there.

        What is said once counts as shown for the suites around.
        """
        shown = self._shown - self._before.pop()
        failures, errors = _number(suite, "failures"), _number(suite, "errors")
        counted = failures if shown["errors"] >= errors else failures + errors
        if counted <= shown.total():
            return ""
        self._shown["failures"] += max(0, failures - shown["failures"])
        self._shown["errors"] += max(0, errors - shown["errors"])
        return f"the suite counts {failures} failed and {errors} errored, and its tests show {shown.total()} of them"


def _number(suite: Element, attribute: str) -> int:
    text = suite.get(attribute, "").strip()
    return int(text) if _NUMBER.fullmatch(text) else 0
