"""The page of verifications, one or many: what is on it, what is not, and its filter in a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import RunRecord, StepRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.report.verification_page import groups, page
from rallyflow.report.verifications import Loaded
from rallyflow.results import queries
from rallyflow.results.verifications import Tolerance, compare

NASTY = '<script>alert("x")</script>&amp;'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def a_test(name, state="passed", seconds=1.0, message="", detail="", attempts=1):
    return queries.Test(name, state, seconds, message, detail, attempts)


def loaded(number, *tests):
    run = RunRecord(RunId(f"20261126-03000{number}-abcde"), NASTY, RunState.FAILED, Path("x.yaml"), 1)
    counts = {state: sum(test.state == state for test in tests) for state in ("passed", "failed", "skipped", "xfail")}
    outputs = {"verification": {"step": "t", **counts, "flaky": 1, "versions": {"tempest": "47.0.0"}}}
    step = StepRecord(
        run.id, StepId("t"), "t", "verify/tempest", StepState.FAILED, 1, 1, outputs=outputs, took_ns=10**9
    )
    return Loaded(run, step, tests)


def html(*verifications, judge=False):
    compared = compare([each.tests for each in verifications], Tolerance())
    return page(verifications, compared, judge=judge)


def many(count):
    return [a_test(f"tempest.api.compute.T.test_{n}", "failed" if n % 10 == 0 else "passed") for n in range(count)]


def test_nothing_of_a_test_is_taken_for_markup():
    text = html(loaded(1, a_test(NASTY, "failed", message=NASTY, detail=NASTY)))
    assert '<script>alert("x")' not in text
    assert text.count("&lt;script&gt;") >= 4


def test_the_page_asks_for_nothing():
    text = html(loaded(1, *many(3)))
    assert not re.search(r"""(src|href)=["']?http""", text)
    assert "default-src 'none'" in text


def test_failures_come_first_with_their_tracebacks():
    tests = [a_test("a.b"), a_test("a.c", "failed", message="why", detail="the trace"), a_test("a.d", attempts=3)]
    text = html(loaded(1, *tests))
    assert text.index("a.c") < text.index("a.b")
    assert "the trace" in text
    assert "run 3 times" in text


def test_a_comparison_has_a_column_for_each_and_a_verdict():
    before, after = loaded(1, a_test("a.b"), a_test("a.c")), loaded(2, a_test("a.b", "failed"), a_test("a.d"))
    text = html(before, before, after, judge=True)
    assert "regressed: 1 new failure, 1 gone, 1 new" in text
    row = re.search(r"<tr data-state=\"new failure\">.*?</tr>", text, re.DOTALL)
    assert row[0].count('<td class="cell">') == 3


def test_tracebacks_are_bounded():
    tests = [a_test(f"a.t{n}", "failed", detail="x" * 50_000) for n in range(500)]
    assert len(html(loaded(1, *tests))) < 4_000_000


def test_tests_are_counted_by_what_they_are_about():
    names = ["tempest.api.compute.x.T.a", "tempest.api.compute.y.T.b", "tempest.scenario.z.T.c", "suite.T.d(x.y)"]
    found = groups([(name, "passed") for name in names])
    assert {group.name: group.total for group in found} == {
        "tempest.api.compute": 2,
        "tempest.scenario": 1,
        "suite.T": 1,
    }
    assert groups([("a.b", "passed")]) == []  # one part is no part


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(CHROMIUM is None and os.environ.get("RALLYFLOW_REQUIRE_BROWSER") != "1", reason="needs chromium")
def test_five_thousand_tests_can_be_searched_and_filtered(tmp_path):
    from playwright.sync_api import sync_playwright

    path = tmp_path / "page.html"
    path.write_text(html(loaded(1, *many(5000))), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        view = browser.new_page(viewport={"width": 390, "height": 800})
        complaints = []
        view.on("console", lambda message: complaints.append(message.text))
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.goto(path.as_uri())
        view.fill("input[type=search]", "test_12")
        view.locator("output:has-text('111 of 5000 shown')").wait_for()
        view.check("input[value=failed]")
        view.locator("output:has-text('11 of 5000 shown')").wait_for()
        assert view.locator("tr[data-state]:visible").count() == 11
        assert view.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        browser.close()
    assert complaints == []
