"""verify/pytest with the pytest of these tests; installing one is for tests/e2e."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from rallyflow.verifiers import pytest as verifier
from rallyflow.verifiers.environment import Environment

SUITE = """
import time
from pathlib import Path
import pytest

def hang():
    Path(__file__).with_name("hangs").touch()
    time.sleep(600)

def test_a(): pass
def test_no(): assert False
def test_away(): pytest.skip("not here")
@pytest.mark.parametrize("n", range(3))
def test_many(n): print("PASSED [ 50%]")
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """Let the verifier use this very Python, instead of installing pytest into one of its own."""
    monkeypatch.setattr(verifier, "environment", lambda *_: Environment(Path(sys.prefix), {"pytest": "9"}))


@pytest.fixture
def rows(monkeypatch):
    """The tests that a verification has booked."""
    found = []
    monkeypatch.setattr("rallyflow.verifiers.booking.book", lambda cases, _context: found.extend(cases))
    return found


def run(context, tmp_path, more, *args):
    """Run a suite until a test hangs."""
    file = tmp_path / "test_suite.py"
    file.write_text(SUITE + more)
    inputs = verifier.PytestInputs(paths=(file,), args=("--rootdir", str(tmp_path), *args), timeout=60)
    watch = threading.Thread(target=_stop_when, args=(tmp_path / "hangs", context))
    watch.start()
    done = verifier.PytestStep().run(inputs, context)
    watch.join()
    return done


def _stop_when(flag, context):
    deadline = time.monotonic() + 60
    while not flag.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    context.stop.set()


BEFORE = {
    "test_a": "passed",
    "test_no": "failed",
    "test_away": "skipped",
    "test_many[0]": "passed",
    "test_many[1]": "passed",
    "test_many[2]": "passed",
}
HANGS = "def test_hangs(): hang()\ndef test_never(): pass\n"


def states(rows):
    assert all(case.name.startswith("test_suite.") for case in rows)
    return {case.name.removeprefix("test_suite."): case.state.value for case in rows}


@pytest.mark.parametrize("style", [[], ["-q"], ["-qq"], ["-s"], ["-o", "console_output_style=count"]])
def test_only_the_test_under_way_has_no_result_when_a_run_is_cut_short(context, tmp_path, rows, style):
    done = run(context, tmp_path, HANGS, *style)
    assert done.reason.startswith("stopped early: 4 of 7 tests passed")
    assert states(rows) == {**BEFORE, "test_hangs": "errored"}


def test_only_the_tests_under_way_have_no_result_when_several_processes_are_cut_short(context, tmp_path, rows):
    run(context, tmp_path, HANGS, "-n", "2")
    found = states(rows)
    assert found["test_hangs"] == "errored"
    assert list(found.values()).count("errored") <= 2


@pytest.mark.parametrize("place", ["hang()\n    yield", "yield\n    hang()"])
def test_a_test_that_hangs_while_it_is_set_up_or_torn_down_has_no_result_either(context, tmp_path, rows, place):
    thing = f"@pytest.fixture\ndef thing():\n    {place}\ndef test_it(thing): pass\n"
    run(context, tmp_path, thing)
    assert states(rows) == {**BEFORE, "test_it": "errored"}


def test_a_test_that_hangs_is_named_as_junit_names_it(context, tmp_path, rows):
    thing = """
class TestIt:
    @pytest.mark.parametrize("word", ["a/b.py::c[\u2028]"])
    def test_that(self, word): hang()
"""
    run(context, tmp_path, thing, "-k", "test_that")
    assert states(rows) == {"TestIt.test_that[a/b.py::c[\\u2028]]": "errored"}


def test_the_first_test_may_be_the_one_that_hangs(context, tmp_path, rows):
    thing = "@pytest.fixture\ndef thing(): hang()\ndef test_it(thing): pass\n"
    run(context, tmp_path, thing, "-k", "test_it")
    assert states(rows) == {"test_it": "errored"}


GREEN = "import pytest\ndef test_a(): pass\n"
EXITS = "def test_exit(): pytest.exit('enough', %s)\ndef test_b(): pass\n"
BREAKS = "def test_exit(): pass\n"
SPOILED = {
    "exit": (EXITS % None, "", "exit code 2 (it was interrupted: _pytest.outcomes.Exit: enough)"),
    "exit as if all were well": (EXITS % 0, "", "exit code 0"),
    "exit with a code": (EXITS % 42, "", "exit code 42 (_pytest.outcomes.Exit: enough)"),
    "exit in a fixture": (
        "@pytest.fixture\ndef thing(): pytest.exit('no thing ' * 9)\ndef test_exit(thing): pass\n",
        "",
        "exit code 2 (it was interrupted: _pytest.outcomes.Exit: no thing no",
    ),
    "interrupted after the call": (
        "def test_exit(): pass\n",
        "def pytest_runtest_teardown(item):\n    if 'exit' in item.name: raise KeyboardInterrupt('ctrl')\n",
        "exit code 2 (it was interrupted",
    ),
}


def run_to_its_end(context, tmp_path, text, conftest="", **more):
    (tmp_path / "test_suite.py").write_text(text)
    (tmp_path / "conftest.py").write_text(conftest)
    inputs = verifier.PytestInputs(
        paths=(tmp_path / "test_suite.py",), args=("--rootdir", str(tmp_path)), timeout=60, **more
    )
    return verifier.PytestStep().run(inputs, context)


@pytest.mark.parametrize("kind", SPOILED)
def test_a_session_that_ends_in_the_middle_of_a_test_has_failed_with_that_test_and_its_reason(
    context, tmp_path, rows, kind
):
    more, conftest, said = SPOILED[kind]
    done = run_to_its_end(context, tmp_path, GREEN + more, conftest)
    assert done.state == "failed"
    assert states(rows) == {"test_a": "passed", "test_exit": "errored"}
    assert said in done.reason


def test_a_session_that_breaks_has_failed_also_when_its_error_was_expected(context, tmp_path, rows):
    conftest = "def pytest_runtest_logfinish(nodeid):\n    if 'exit' in nodeid: raise ValueError('plugin')\n"
    done = run_to_its_end(context, tmp_path, GREEN + BREAKS, conftest, xfail={"internal": "as ever"})
    assert done.state == "failed"
    assert "exit code 3 (it broke itself)" in done.reason
    assert [case.state.value for case in rows if case.name == "pytest.internal"] == ["xfail"]


def test_a_session_that_ends_with_1_though_all_tests_passed_has_failed(context, tmp_path, rows):
    conftest = "def pytest_sessionfinish(session): session.exitstatus = 1\n"
    done = run_to_its_end(context, tmp_path, GREEN, conftest)
    assert (done.state, states(rows)) == ("failed", {"test_a": "passed"})
    assert done.reason == "1 of 1 tests passed; pytest ended with exit code 1 (no test failed)"


def test_a_session_that_ends_with_1_because_of_a_test_that_is_expected_to_fail_is_well(context, tmp_path, rows):
    done = run_to_its_end(context, tmp_path, GREEN + "def test_no(): assert False\n", xfail={"test_no": "bug 1"})
    assert (done.state, states(rows)) == ("succeeded", {"test_a": "passed", "test_no": "xfail"})


def test_a_session_in_which_modules_cannot_be_read_has_failed(context, tmp_path, rows):
    done = run_to_its_end(context, tmp_path, "import no_such_module\n", xfail={"test_suite": "bug 1"})
    assert (done.state, [case.state.value for case in rows]) == ("failed", ["xfail"])
    assert "it was interrupted: Interrupted: 1 error during collection" in done.reason
