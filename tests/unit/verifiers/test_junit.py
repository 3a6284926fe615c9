from __future__ import annotations

import codecs
import contextlib
import io
import os
import subprocess
import sys

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyflow.errors import ResultsUnreadable, TestListUnreadable
from rallyflow.verifiers.case import Case, CaseState
from rallyflow.verifiers.formats import read_results
from rallyflow.verifiers.junit import Suite, read_junit, write_junit
from rallyflow.verifiers.lists import read_reasons

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" timestamp="2026-11-26T03:00:00+00:00">
<testcase classname="suite.TestA" name="test_ok" time="0.250"/>
<testcase classname="suite.TestA" name="test_no" time="1.5"><failure message="assert 1 == 2">def f():
E  assert</failure></testcase>
<testcase classname="suite.TestA" name="test_setup" time="0"><error message="failed on setup">boom</error></testcase>
<testcase classname="suite.TestA" name="test_skip"><skipped type="pytest.skip" message="not here">x</skipped></testcase>
<testcase classname="suite.TestA" name="test_xfail"><skipped type="pytest.xfail" message="bug 1"/></testcase>
<testcase classname="suite.TestA" name="test_xpass"><failure message="[XPASS(strict)] bug 2"/></testcase>
</testsuite></testsuites>"""

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="&f;"/></testsuite>"""


def cases_of(text: str) -> list[Case]:
    cases: list[Case] = []
    read_junit(io.BytesIO(text.encode()), cases.append)
    return cases


def test_what_pytest_writes_is_understood():
    cases = cases_of(PYTEST)
    assert [case.state.value for case in cases] == ["passed", "failed", "failed", "skipped", "xfail", "uxsuccess"]
    assert cases[0].name == "suite.TestA.test_ok"
    assert cases[0].duration_ns == 250_000_000
    assert cases[0].started_ns == 1795662000 * 10**9
    assert cases[1].message == "assert 1 == 2"
    assert cases[1].detail.startswith("def f()")
    assert cases[3].message == "not here"


def states_of(text: str) -> list[tuple[str, str]]:
    return [(case.name, case.state.value) for case in cases_of(text)]


def test_pytest_itself_is_understood_when_a_test_is_skipped_and_its_teardown_fails(tmp_path):
    suite = tmp_path / "test_it.py"
    suite.write_text(
        "import pytest\n@pytest.fixture\ndef thing():\n    yield\n    raise OSError('full')\n"
        "def test_away(thing): pytest.skip('not here')\n@pytest.mark.xfail\ndef test_bug(thing): assert False\n"
    )
    words = ["-q", "-p", "no:cacheprovider", f"--junitxml={tmp_path / 'r.xml'}", f"--rootdir={tmp_path}", str(suite)]
    subprocess.run([sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, check=False)
    away, bug = read_results(tmp_path / "r.xml")
    assert (away.state, bug.state) == (CaseState.FAILED, CaseState.XFAIL)
    assert "full" in away.message


@pytest.mark.parametrize(
    ("inner", "state"),
    [
        ('<skipped message="away"/><error message="boom"/>', "failed"),
        ('<error message="boom"/><skipped message="away"/>', "failed"),
        ('<skipped type="pytest.xfail" message="bug"/><failure message="boom"/>', "failed"),
        ('<skipped message="TEST_CASE tagged with !mayfail"/><failure type="FAIL">boom</failure>', "xfail"),
        ("<system-out>failure</system-out>", "passed"),
    ],
)
def test_a_failure_counts_whatever_else_a_test_says(inner, state):
    (case,) = cases_of(f'<testsuite><testcase name="a">{inner}</testcase></testsuite>')
    assert case.state.value == state
    assert "boom" in case.message or state == "passed"


@pytest.mark.parametrize(
    ("inner", "state"),
    [
        ('<skipped type="skip" message="away"/>', "skipped"),
        ('<skipped type="XFAIL" message="expected failure: (...)"/>', "xfail"),
        ('<skipped type="XFAIL" message="expected"/><error type="OSError" message="tearDown"/>', "failed"),
        ('<error type="UnexpectedSuccess" message="it passed"/>', "uxsuccess"),
        ('<failure type="UnexpectedSuccess" message="it passed"/>', "uxsuccess"),
        ('<skipped type="UnexpectedSuccess" message="it passed"/>', "uxsuccess"),
        ('<property type="UnexpectedSuccess"/>', "passed"),
    ],
)
def test_what_unittest_xml_reporting_writes_is_understood(inner, state):
    (case,) = cases_of(f'<testsuite><testcase classname="a.T" name="test_x">{inner}</testcase></testsuite>')
    assert case.state.value == state


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ('status="notrun" result="suppressed"', "skipped"),
        ('status="notrun"', "skipped"),
        ('status="disabled"', "skipped"),
        ('status="run" result="skipped"', "skipped"),
        ('status="run" result="completed"', "passed"),
        ('status="passed"', "passed"),
    ],
)
def test_what_googletest_and_ctest_did_not_run_is_skipped(attributes, state):
    assert states_of(f'<testsuite><testcase name="a" {attributes}/></testsuite>') == [("a", state)]


def test_a_suite_that_could_not_be_loaded_is_an_errored_test():
    text = """<testsuites><testsuite name="com.x.Broken" errors="1" failures="0" tests="0">
    <error message="no such class" type="java.lang.ClassNotFoundException">at com.x</error></testsuite>
    <testsuite name="com.x.Well"><testcase name="a"/></testsuite></testsuites>"""
    broken, well = cases_of(text)
    assert (broken.name, broken.state, broken.message) == ("com.x.Broken", CaseState.ERRORED, "no such class")
    assert broken.detail == "at com.x"
    assert well.state is CaseState.PASSED


def test_a_test_without_name_and_result_never_ended():
    (case,) = cases_of('<testsuite name="pytest"><testcase time="0.0"/></testsuite>')
    assert (case.name, case.state) == ("(no name)", CaseState.ERRORED)
    assert "never ended" in case.message


GOOD = '<testcase name="good"/>'
NO = '<testcase name="no"><failure message="x"/></testcase>'
INNER = f'<testsuite failures="1">{NO}</testsuite>'
BROKE = '<testcase name="broke"><error message="x"/></testcase>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'<testsuite name="s" failures="1">{GOOD}</testsuite>', "1 failed and 0 errored, and its tests show 0"),
        (f'<testsuite name="s" errors="1">{GOOD}</testsuite>', "0 failed and 1 errored, and its tests show 0"),
        (f'<testsuite name="s" errors="1" failures="1">{NO}</testsuite>', "1 errored, and its tests show 1"),
        (f'<testsuite name="s" failures="3">{NO}{GOOD}{NO}</testsuite>', "show 2"),
        (f'<testsuite name="o" errors="1"><testsuite name="s" errors="1">{GOOD}</testsuite></testsuite>', "show 0"),
        (f'<testsuite name="s" errors="1"><testsuite errors="0">{GOOD}</testsuite></testsuite>', "show 0"),
        (f'<testsuites><testsuite errors="1">{BROKE}</testsuite><testsuite name="s" errors="1"/></testsuites>', "0"),
    ],
)
def test_failures_that_a_suite_counts_and_shows_nowhere_are_one_errored_test(text, message):
    (case,) = [case for case in cases_of(text) if case.state is CaseState.ERRORED]
    assert case.name == "s"
    assert message in case.message


@pytest.mark.parametrize(
    "text",
    [
        f'<testsuite failures="1" errors="1">{NO}{BROKE}{GOOD}</testsuite>',
        f'<testsuite failures="2">{INNER}{INNER}</testsuite>',  # totals of those within
        f'<testsuite failures="0">{INNER}</testsuite>',  # its own alone
        f'<testsuite failures="1" errors="1">{BROKE}</testsuite>',  # Boost.Test: an error is a failure as well
        '<testsuite failures="2"><testcase name="a"><failure/><failure/></testcase></testsuite>',  # Catch2: assertions
        '<testsuite failures="1"><testcase name="a"><flakyFailure/></testcase></testsuite>',  # Gradle: first tries
        f'<testsuite failures="" errors="none" skipped="4">{GOOD}</testsuite>',
        f'<testsuite failures="-1" errors="1.0">{GOOD}</testsuite>',
        f'<testsuite failures="18446744073709551615">{GOOD}</testsuite>',  # Catch2: 0 - 1 without a sign
        f'<testsuites failures="7" errors="7"><testsuite>{GOOD}</testsuite></testsuites>',
    ],
)
def test_a_count_that_tools_may_come_to_in_other_ways_invents_no_failure(text):
    assert CaseState.ERRORED not in {case.state for case in cases_of(text)}


def test_a_test_without_a_class_is_named_after_its_suite():
    text = """<testsuites name="jest tests"><testsuite name="cart"><testcase name="works"/></testsuite>
    <testsuite name="login"><testcase classname="" name="works"/><testcase classname="C" name="works"/>
    <testsuite name=""><testcase name="fails"/></testsuite><testsuite name="in"><testcase name="works"/></testsuite>
    </testsuite></testsuites>"""
    names = ["cart.works", "login.works", "C.works", "login.fails", "in.works"]
    assert [case.name for case in cases_of(text)] == names


def test_a_module_that_pytest_cannot_collect_is_named_after_itself():
    text = (
        '<testsuites name="pytest tests"><testsuite name="pytest"><testcase classname="" name="test_it"/></testsuite>'
    )
    assert [case.name for case in cases_of(f"{text}</testsuites>")] == ["test_it"]


def test_what_is_written_keeps_the_names_of_tests_without_a_place():
    names = ["works", "a.works", "a works(b.c)"]
    text = write_junit([Suite("run:step", [Case(name, CaseState.PASSED) for name in names])])
    assert [case.name for case in cases_of(text)] == names


def test_a_testsuite_alone_and_names_with_namespaces_are_read():
    text = '<testsuite xmlns="urn:x"><testcase name="a"/></testsuite>'
    assert [case.name for case in cases_of(text)] == ["a"]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59", "0001-01-01T00:00:00", "1960-01-01T00:00:00", "today"])
def test_a_time_that_cannot_be_meant_is_unknown_and_a_name_without_end_is_cut(moment):
    text = f'<testsuite timestamp="{moment}"><testcase name="{"n" * 3_000_000}" time="1e300"/></testsuite>'
    (case,) = cases_of(text)
    assert (case.started_ns, case.duration_ns) == (0, 0)
    assert 2_000 <= len(case.name) < 2_100


def test_a_pipe_is_no_file_of_results_or_tests_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ResultsUnreadable, match="no plain file"):
        read_results(tmp_path / "pipe")
    with pytest.raises(TestListUnreadable, match="no plain file"):
        read_reasons(tmp_path / "pipe")


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
def test_document_types_and_entities_are_refused(text):
    with pytest.raises(ResultsUnreadable, match="document type"):
        cases_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "<html><body/></html>",
        "<testsuite><testcase name='a'>",
        "<testsuite></testsuites>",
        "<testsuite>" + "<a>" * 100 + "</a>" * 100 + "</testsuite>",
        "<?xml version='1.0' encoding='nothing'?><testsuite/>",
    ],
)
def test_what_is_no_junit_is_refused(text):
    with pytest.raises(ResultsUnreadable):
        cases_of(text)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_junit_is_recognised_in_every_encoding_that_a_file_names(tmp_path, mark):
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, "utf-8")
    declared = f'<?xml version="1.0" encoding="{encoding[:6].rstrip("-")}"?>\n' if encoding != "utf-8" else "\n"
    file = tmp_path / "results"
    file.write_bytes(mark + (declared + '<testsuite><testcase name="größer"/></testsuite>').encode(encoding))
    assert [case.name for case in read_results(file)] == ["größer"]


def test_a_file_without_tests_is_refused(tmp_path):
    file = tmp_path / "empty.xml"
    file.write_text("<testsuite/>")
    with pytest.raises(ResultsUnreadable, match="no test"):
        read_results(file)


def test_numbers_that_are_none_do_no_harm():
    cases = cases_of(
        '<testsuite timestamp="yesterday"><testcase name="a" time="NaN"/>'
        '<testcase name="b" time="1,234.5"/></testsuite>'
    )
    assert [case.duration_ns for case in cases] == [0, 1_234_500_000_000]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0,005", 5),
        ("12,5", 12_500),
        ("1,5E-2", 15),
        ("1.234,5", 1_234_500),
        ("0,1234", 123),
        ("1,234", 1_234_000),
        ("12,345", 12_345_000),
        ("1,234,567", 1_234_567_000),
        ("1,234.5", 1_234_500),
        ("1,23,456.5", 123_456_500),
        (" 2.5 ", 2_500),
        ("1,2x", 0),
        (",", 0),
    ],
)
def test_a_comma_is_a_decimal_sign_where_it_groups_no_thousands(text, milliseconds):
    (case,) = cases_of(f'<testsuite><testcase name="a" time="{text}"/></testsuite>')
    assert case.duration_ns // 1_000_000 == milliseconds


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_tests_or_an_error_of_ours(data):
    with contextlib.suppress(ResultsUnreadable):
        read_junit(io.BytesIO(b"<testsuite>" + data), lambda _case: None)


names = st.text(st.characters(exclude_characters=".[]()", exclude_categories=["Cs"]), min_size=1, max_size=8)
made = st.builds(
    Case,
    name=st.tuples(names, names).map(".".join),
    state=st.sampled_from(CaseState),
    duration_ns=st.integers(0, 10**12),
    message=st.text(max_size=20),
    detail=st.text(max_size=20),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(made, max_size=6))
def test_what_is_written_can_be_read_again_with_the_same_verdicts(cases):
    text = write_junit([Suite("run:step", cases)])
    root = fromstring(text.encode())
    assert int(root[0].get("tests")) == len(cases)
    read = []
    read_junit(io.BytesIO(text.encode()), read.append)
    bad = [case.state.bad for case in cases]
    assert [case.state.bad for case in read] == bad
    assert [case.state is CaseState.PASSED for case in read] == [case.state is CaseState.PASSED for case in cases]
