"""Reads and writes JUnit's XML, as pytest, Maven, Go and many others write it; what is hostile in it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rallyflow.errors import ResultsUnreadable
from rallyflow.verifiers.case import LONGEST_MESSAGE, Case, CaseState, bounded, shortened, since_epoch
from rallyflow.verifiers.suitecounts import Counts
from rallyflow.verifiers.verdicts import BAD, tag, verdict, what_went_wrong

LARGEST = 200_000_000
"""Bytes of a file that are read."""
NAMELESS = "(no name)"
"""What a test is called that has no name."""
_WITHOUT_END = "it has no name: so pytest writes a test that began, and never ended"
_OURS = "rallyflow"  # names what `write_junit` wrote; a test without a class has no place there
_PYTEST = "pytest"  # how pytest calls each suite, in which what can't be collected has no class
_DEEPEST = 50  # elements inside each other
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_junit(source: BinaryIO, ended: Callable[[Case], None]) -> None:
    """Read a file test by test. Raises ResultsUnreadable for what is no JUnit, or is made to do harm."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    try:
        _read(iterparse(_Bounded(source), events=("start", "end"), forbid_dtd=True), ended)
    except DefusedXmlException as error:
        raise ResultsUnreadable(
            "the XML has a document type or entities, which JUnit has no use for", hint="who wrote this file?"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ResultsUnreadable(f"the file is no JUnit: {error}", hint="is it whole, and the right one?") from error


def _read(events: Any, ended: Callable[[Case], None]) -> None:
    stack: list[Element] = []
    counts = Counts()
    for event, element in events:
        if event == "start":
            stack.append(element)
            _check(stack)
            if tag(element) == "testsuite":
                counts.begin()
            continue
        stack.pop()
        for case in _cases(element, stack, counts):
            ended(case)
        if stack and tag(element) in ("testcase", "testsuite", "properties", "system-out", "system-err"):
            stack[-1].remove(element)  # what has been read takes no memory any more


def _check(stack: Sequence[Element]) -> None:
    """Raise ResultsUnreadable when an element that begins can't be JUnit's."""
    if len(stack) == 1 and tag(stack[0]) not in ("testsuites", "testsuite"):
        raise ResultsUnreadable(f"the file is no JUnit: it begins with <{tag(stack[0])[:60]}>")
    if len(stack) > _DEEPEST:
        raise ResultsUnreadable(f"the XML is nested more than {_DEEPEST} deep: no JUnit")


def _cases(element: Element, stack: Sequence[Element], counts: Counts) -> Iterator[Case]:
    """Give what an element says that has ended within those that have not: a test, or trouble of a whole suite."""
    if tag(element) == "testcase":
        counts.show(element)
        yield _case(element, stack)
    elif tag(element) in BAD and stack and tag(stack[-1]) in ("testsuite", "testsuites"):
        counts.show([element])
        message, detail = what_went_wrong(element)
        yield _trouble(stack[-1], message or f"the suite has a <{tag(element)}> of its own", detail)
    elif tag(element) == "testsuite" and (message := counts.missing(element)):
        yield _trouble(element, message)


def _trouble(suite: Element, message: str, detail: str = "") -> Case:
    """Return what stands for the tests of a suite that have no result of their own."""
    return Case(
        name=bounded(suite.get("name") or NAMELESS),
        state=CaseState.ERRORED,
        started_ns=_moment(suite.get("timestamp")),
        message=message[:LONGEST_MESSAGE],
        detail=shortened(detail),
    )


class _Bounded:
    """A stream that ends with an error where it becomes too large."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = LARGEST

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ResultsUnreadable(f"the file has more than {LARGEST // 1_000_000} MB")
        return data


def _case(element: Element, stack: Sequence[Element]) -> Case:
    suite = next((each for each in reversed(stack) if tag(each) == "testsuite"), None)
    name = _name(element, stack)
    state, message, detail = verdict(element)
    if name == NAMELESS and state is CaseState.PASSED:
        state, message = CaseState.ERRORED, _WITHOUT_END
    return Case(
        name=bounded(name),
        state=state,
        started_ns=_moment(element.get("timestamp") or (suite.get("timestamp") if suite is not None else None)),
        duration_ns=_duration(element.get("time")),
        message=message[:LONGEST_MESSAGE],
        detail=shortened(detail),
    )


def _name(test: Element, stack: Sequence[Element]) -> str:
    """Return a test's name with its class, or without that with its suite: two suites may well have one of a name."""
    place, name = test.get("classname", ""), test.get("name", "")
    if name and not place and stack[0].get("name") != _OURS:
        suites = [each.get("name", "") for each in stack if tag(each) == "testsuite"]
        place = next((suite for suite in reversed(suites) if suite and suite != _PYTEST), "")
    return ".".join(filter(None, (place, name))) or NAMELESS


def _duration(text: str | None) -> int:
    try:
        seconds = float(_plain((text or "0").strip()))
    except ValueError:
        return 0
    return int(seconds * 1e9) if 0 <= seconds < 1e8 else 0


def _plain(number: str) -> str:
    """Return a number as Python writes it. A comma is one between thousands, or where it can't be that, a decimal sign.

    `1,234` may be either; Maven groups thousands, and that is what it is taken for.
    """
    whole, comma, rest = number.partition(",")
    if not comma or _GROUPED.fullmatch(number) or "," in rest or "." in rest:
        return number.replace(",", "")
    return f"{whole.replace('.', '')}.{rest}"


def _moment(text: str | None) -> int:
    try:
        return since_epoch(datetime.fromisoformat(text or ""))
    except ValueError:
        return 0


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one verification, to be written."""

    name: str
    cases: Sequence[Case]


def write_junit(suites: Sequence[Suite]) -> str:
    """Return the XML of verifications: a testsuite for each.

    An expected failure is a test that was skipped, an unexpected success one that failed: JUnit has no words for them.
    """
    root = Element("testsuites", {"name": _OURS})
    for suite in suites:
        _add_suite(root, suite)
    indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{tostring(root, encoding='unicode')}\n"


def _add_suite(root: Element, suite: Suite) -> None:
    states = [case.state for case in suite.cases]
    started = min((case.started_ns for case in suite.cases if case.started_ns), default=0)
    counts = {
        "tests": len(states),
        "failures": sum(state in (CaseState.FAILED, CaseState.UXSUCCESS) for state in states),
        "errors": states.count(CaseState.ERRORED),
        "skipped": states.count(CaseState.SKIPPED) + states.count(CaseState.XFAIL),
    }
    element = SubElement(root, "testsuite", {"name": _clean(suite.name), **{k: str(v) for k, v in counts.items()}})
    element.set("time", f"{sum(case.duration_ns for case in suite.cases) / 1e9:.3f}")
    if started:
        element.set("timestamp", datetime.fromtimestamp(started / 1e9, UTC).replace(tzinfo=None).isoformat())
    for case in suite.cases:
        _add_case(element, case)


def _add_case(parent: Element, case: Case) -> None:
    place, _, name = case.name.partition("(")[0].rpartition(".")
    rest = case.name[len(case.name.partition("(")[0]) :]
    element = SubElement(parent, "testcase", {"classname": _clean(place), "name": _clean(name + rest)})
    element.set("time", f"{case.duration_ns / 1e9:.3f}")
    kind = {
        CaseState.FAILED: "failure",
        CaseState.UXSUCCESS: "failure",
        CaseState.ERRORED: "error",
        CaseState.SKIPPED: "skipped",
        CaseState.XFAIL: "skipped",
    }.get(case.state)
    if kind is None:
        return
    inner = SubElement(element, kind, {"message": _clean(case.message)})
    if case.state is CaseState.XFAIL:
        inner.set("type", "pytest.xfail")
    elif kind != "skipped":
        inner.set("type", case.state.value)
        inner.text = _clean(case.detail)


def _clean(text: str) -> str:
    """Return a text without the characters that XML can't hold."""
    return _NOT_XML.sub("\ufffd", text)
