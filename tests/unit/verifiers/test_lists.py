from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rallyflow.errors import NoTests, TestListUnreadable
from rallyflow.verifiers.case import Case, CaseState, summary, totals
from rallyflow.verifiers.lists import (
    Listed,
    Pattern,
    Reasons,
    all_judged,
    idle,
    judged,
    read_names,
    read_reasons,
    select,
    shown,
)
from rallyflow.verifiers.rerunning import again, merged
from rallyflow.verifiers.tempest.program import completed

ID = "id-6b0d7a5e-7f3c-4d0f-9f7b-3f2d0a1b2c3d"
TESTS = [
    Listed.of(name)
    for name in (
        f"tempest.api.compute.flavors.F.test_get[{ID},smoke]",
        f"tempest.api.compute.servers.S.test_boot[{ID}]",
        f"tempest.api.volume.V.test_make[{ID},smoke]",
        f"tempest.scenario.basic.B.test_all[compute,{ID},slow]",
        f"octavia_tempest_plugin.tests.api.L.test_listen[{ID}]",
    )
]
NOTHING = Reasons()


def names(*patterns, load=None, skip=NOTHING):
    return [test.name.rpartition(".")[2] for test in select(TESTS, patterns, load, skip).run]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("set=full", ["test_listen", "test_get", "test_boot", "test_make", "test_all"]),
        ("set=smoke", ["test_get", "test_make"]),
        ("set=compute", ["test_get", "test_boot"]),
        ("set=volume", ["test_make"]),
        ("set=scenario", ["test_all"]),
        ("set=slow", ["test_all"]),
        ("set=octavia", ["test_listen"]),
        (r"compute\.servers", ["test_boot"]),
        ("smoke", ["test_get", "test_make"]),
    ],
)
def test_a_pattern_chooses(pattern, expected):
    assert names(pattern) == expected


def test_patterns_add_up_and_a_list_narrows():
    assert names("set=volume", "test_boot") == ["test_boot", "test_make"]
    assert names(load=["tempest.api.volume.V.test_make", "unknown"]) == ["test_make"]
    assert names("set=compute", load=[f"tempest.api.compute.servers.S.test_boot[{ID}]"]) == ["test_boot"]


def test_what_chooses_nothing_beside_what_does_is_known():
    known = f"tempest.api.compute.servers.S.test_boot[{ID}]"
    assert idle(TESTS, ["set=volume", "set=smok", "typo"], [known, "no.such"]) == ["set=smok", "typo", "no.such"]
    assert shown([str(number) for number in range(7)]) == "0, 1, 2, 3, 4, ..."


def test_nothing_chosen_says_what_there_is():
    with pytest.raises(NoTests) as caught:
        names("set=smok")
    assert caught.value.hint == "did you mean 'smoke'?"
    with pytest.raises(NoTests, match="in the list of 1 to load"):
        names(load=["no.such"])


def test_skipped_tests_keep_their_reasons():
    skip = Reasons.of({f"tempest.api.volume.V.test_make[{ID},smoke]": "bug 1", r"flavors\.": "bug 2"})
    chosen = select(TESTS, ["set=smoke"], None, skip)
    assert chosen.run == []
    assert {test.name.rpartition(".")[2]: reason for test, reason in chosen.skipped} == {
        "test_make": "bug 1",
        "test_get": "bug 2",
    }


@pytest.mark.parametrize(
    ("key", "test", "named"),
    [
        ("a.C.test_create", "a.C.test_create", True),
        ("a.C.test_create", "a.C.test_create_with_ipv6", False),
        ("a.C.test_create", "a.C.test_create(ipv6)", True),
        ("a.C.test_create", "a.C.test_create[ipv6]", True),
        ("a.C", "a.C.test_create", True),
        ("a.C", "a.C2.test_create", False),
        ("a.C", "extra.C.test_create", False),
        ("b.C", "a.b.C.test_create", True),
        ("a.C", "tearDownClass (a.C)", True),
        ("pkg.TestA", "example.org/pkg.TestA/sub", True),
        ("create", "a.C.test_create_with_ipv6", True),
        (r"a\.C\.test_create", "a.C.test_create_with_ipv6", True),
        ("test_create.*ipv6", "a.C.test_create_with_ipv6", True),
    ],
)
def test_a_dotted_name_means_what_is_so_named_and_a_pattern_all_that_it_is_found_in(key, test, named):
    reasons = Reasons.of({key: "bug 1"})
    assert reasons.for_test(test) == ("bug 1" if named else None)
    assert reasons.without_tests([test]) == ([] if named else [key])


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("failed", "xfail"), ("passed", "uxsuccess"), ("skipped", "skipped"), ("errored", "errored")],
)
def test_an_expected_failure_changes_what_counts(state, becomes):
    case = judged(Case("a.b", CaseState(state), message="boom"), Reasons.of({"a.b": "bug 7"}))
    assert case.state.value == becomes
    if becomes in ("xfail", "uxsuccess"):
        assert "bug 7" in case.message
    assert judged(Case("other", CaseState(state)), Reasons.of({r"a\.b": "x"})).state.value == state


def test_lists_are_read_from_files(tmp_path):
    file = tmp_path / "list"
    file.write_text(f"# those\na.b.c  # slow\n- a.b.d\n\na.b.e[{ID}]\n")
    assert read_names(file) == ["a.b.c", "a.b.d", f"a.b.e[{ID}]"]
    reasons = tmp_path / "skip.yaml"
    reasons.write_text("tempest.api.volume: no volumes\n'test_[xy]':\n")
    assert read_reasons(reasons) == {"tempest.api.volume": "no volumes", "test_[xy]": "named in skip.yaml"}
    reasons.write_text("- a.b\n- c.d\n")
    assert list(read_reasons(reasons)) == ["a.b", "c.d"]


@pytest.mark.parametrize("content", ["just words", "1: 2", "'([': x", "a: [\n", "- 1\n"])
def test_a_list_that_is_none_is_refused(tmp_path, content):
    file = tmp_path / "skip.yaml"
    file.write_text(content)
    with pytest.raises(TestListUnreadable):
        read_reasons(file)


def test_a_list_that_is_missing_or_names_nothing_is_refused(tmp_path):
    with pytest.raises(TestListUnreadable, match="can't be read"):
        read_names(tmp_path / "none")
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(TestListUnreadable, match="names no test"):
        read_names(tmp_path / "empty")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TestListUnreadable, match="UTF-8"):
        read_names(tmp_path / "binary")


def test_a_pattern_that_is_none_is_an_error_of_the_file():
    with pytest.raises(ValidationError, match=r"'\(\[' is no regular expression"):
        TypeAdapter(Pattern).validate_python("([")


def test_a_class_that_was_not_set_up_fails_all_of_its_tests():
    tests = [Listed.of(f"m.C.test_{n}") for n in range(3)]
    setup = Case("setUpClass (m.C)", CaseState.FAILED, message="no network", detail="trace")
    cases = completed(tests, [setup], "")
    assert [(case.name, case.state, case.message) for case in cases] == [
        (f"m.C.test_{n}", CaseState.FAILED, "setUpClass: no network") for n in range(3)
    ]


def test_a_class_that_was_skipped_skips_its_tests_with_its_reason():
    cases = completed([Listed.of("m.C.test")], [Case("setUpClass (m.C)", CaseState.SKIPPED, message="no swift")], "")
    assert [(case.state, case.message) for case in cases] == [(CaseState.SKIPPED, "no swift")]


def test_a_failed_teardown_is_a_failure_beside_its_tests():
    ran = [Case("m.C.test", CaseState.PASSED), Case("tearDownClass (m.C)", CaseState.FAILED, message="left")]
    cases = completed([Listed.of("m.C.test")], ran, "")
    assert [(case.name, case.state.value) for case in cases] == [
        ("m.C.test", "passed"),
        ("tearDownClass (m.C)", "failed"),
    ]


@pytest.mark.parametrize(("cut", "why"), [("timeout", "time was over"), ("stop", "stopped"), ("", "ended")])
def test_a_listed_test_without_a_result_is_errored(cut, why):
    (case,) = completed([Listed.of("m.C.test")], [], cut)
    assert case.state is CaseState.ERRORED
    assert why in case.message


def test_what_is_expected_of_no_test_is_named_once(caplog):
    xfail = Reasons.of({"a.b": "bug 1", "c.*": "bug 2", "a.typo": "bug 3", "^b": "bug 4"})
    cases = [Case("a.b", CaseState.FAILED), Case("x.cd", CaseState.FAILED)]
    assert [case.state for case in all_judged(cases, xfail, logging.getLogger("step"))] == [CaseState.XFAIL] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 4 in `xfail` are about no test that ran: a.typo, ^b"
    ]


def test_what_failed_runs_again_but_for_what_is_expected_to_fail():
    tests = [Listed.of(name) for name in "abcd"]
    states = {"a": "failed", "b": "errored", "c": "passed", "d": "failed"}
    cases = [Case(name, CaseState(state)) for name, state in states.items()]
    assert [test.name for test in again(tests, cases, Reasons.of({"d": "bug"}))] == ["a", "b"]


def test_a_test_that_passes_when_run_again_is_flaky_and_says_why_it_failed():
    before = [Case("a", CaseState.FAILED, message="boom", detail="trace"), Case("b", CaseState.PASSED)]
    cases = merged(before, [Case("a", CaseState.PASSED)], "")
    assert cases[0].flaky
    assert (cases[0].attempts, cases[0].message, cases[0].detail) == (2, "failed before: boom", "trace")
    assert cases[1] == before[1]
    counted = totals("step", cases)
    assert (counted.passed, counted.flaky, counted.failed) == (2, 1, 0)
    assert summary(counted) == "2 of 2 tests passed, 1 only when run again"


@given(
    st.lists(st.sampled_from(CaseState), max_size=6),
    st.lists(st.sampled_from(CaseState), max_size=6),
    st.sampled_from(["", "timeout"]),
)
def test_a_rerun_loses_no_test_and_none_is_counted_twice(first, second, cut):
    before = [Case(str(number), state) for number, state in enumerate(first)]
    after = [Case(str(number), state) for number, state in enumerate(second[: len(first)])]
    cases = merged(before, after, cut)
    assert [case.name for case in cases] == [case.name for case in before]
    for old, new in zip(before, cases, strict=True):
        assert new.attempts == old.attempts or new.attempts == old.attempts + 1
