"""Says how a test of JUnit's XML ended, in the words of those that write it: the format knows no expected failures."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from rallyflow.verifiers.case import CaseState, first_line

BAD = ("failure", "error")
"""Elements that say that something went wrong."""
_XFAIL = ("pytest.xfail", "XFAIL")  # types of what pytest and unittest-xml-reporting skip as an expected failure
_UXSUCCESS = "UnexpectedSuccess"  # the type that unittest-xml-reporting gives: to an error, or in older versions a skip
_STRICT = "[XPASS(strict)]"  # how pytest begins the message of a failure that is an unexpected success
_MAYFAIL = "TEST_CASE tagged with !mayfail"  # Catch2's reason to skip, beside the failures that it lets pass
_NOT_RUN = {"notrun": "status", "disabled": "status", "suppressed": "result", "skipped": "result"}
"""Values of attributes of tests that did not run, as googletest and CTest write them."""

Verdict = tuple[CaseState, str, str]
"""State, message and traceback."""


def verdict(test: Element) -> Verdict:
    """Return how a test ended. What has failed counts, even when it was skipped before: a teardown can still fail."""
    skips = [child for child in test if tag(child) == "skipped"]
    for child in (child for child in test if tag(child) in (*BAD, "skipped")):
        if child.get("type") == _UXSUCCESS or _message(child).startswith(_STRICT):
            return CaseState.UXSUCCESS, f"it was expected to fail: {_message(child)}", ""
        if tag(child) in BAD:
            return _failed(child, skips)
    return _skipped(skips[0]) if skips else _without_child(test)


def what_went_wrong(trouble: Element) -> tuple[str, str]:
    """Return message and traceback of an element that says so."""
    return _reason(trouble), _text(trouble)


def tag(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _failed(child: Element, skips: Iterable[Element]) -> Verdict:
    if any(_message(skip) == _MAYFAIL for skip in skips):
        return CaseState.XFAIL, f"tagged with !mayfail: {_reason(child)}", ""
    return CaseState.FAILED, _reason(child), _text(child)


def _skipped(skip: Element) -> Verdict:
    state = CaseState.XFAIL if skip.get("type") in _XFAIL else CaseState.SKIPPED
    return state, _message(skip) or first_line(_text(skip)), ""


def _without_child(test: Element) -> Verdict:
    for value, attribute in _NOT_RUN.items():
        if test.get(attribute, "").lower() == value:
            return CaseState.SKIPPED, f"it did not run: {attribute} {value!r}", ""
    return CaseState.PASSED, "", ""


def _reason(child: Element) -> str:
    return _message(child).strip() or first_line(_text(child))


def _message(child: Element) -> str:
    return child.get("message") or ""


def _text(child: Element) -> str:
    return (child.text or "").strip()
