from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subunit.v2 import StreamResultToBytes

from rallyflow.errors import ResultsUnreadable
from rallyflow.verifiers.case import CaseState, first_line, split_tags
from rallyflow.verifiers.formats import read_results
from rallyflow.verifiers.subunit import read_subunit, read_subunit_v1

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


class Stream:
    """Writes a stream as a test runner does."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.result = StreamResultToBytes(self.bytes)

    def test(self, name, status, seconds=1.5, tags=frozenset(), **files):
        self.result.status(test_id=name, test_status="inprogress", timestamp=START, test_tags=set(tags))
        for file, text in files.items():
            self.result.status(test_id=name, file_name=file, file_bytes=text.encode(), mime_type="text/plain", eof=True)
        self.result.status(
            test_id=name, test_status=status, timestamp=START + timedelta(seconds=seconds), test_tags=set(tags)
        )

    def read(self):
        cases, begun = [], []
        heard = read_subunit(io.BytesIO(self.bytes.getvalue()), cases.append, begun.append)
        return cases, begun, heard


def test_each_status_has_its_state():
    stream = Stream()
    for status in ("success", "fail", "skip", "xfail", "uxsuccess"):
        stream.test(f"a.{status}", status)
    cases, begun, _ = stream.read()
    assert [(case.name, case.state.value) for case in cases] == [
        ("a.success", "passed"),
        ("a.fail", "failed"),
        ("a.skip", "skipped"),
        ("a.xfail", "xfail"),
        ("a.uxsuccess", "uxsuccess"),
    ]
    assert begun == [case.name for case in cases]


def test_times_tags_worker_and_reasons_are_kept():
    stream = Stream()
    identity = "tempest.api.C.test_x[id-6b0d7a5e-7f3c-4d0f-9f7b-3f2d0a1b2c3d,smoke]"
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    f()\nErr: no\nDetails: {why}'
    stream.test(identity, "fail", tags={"worker-3"}, traceback=trace)
    stream.test("b", "skip", reason="no volumes here")
    (failed, skipped), _, _ = stream.read()
    assert failed.name == "tempest.api.C.test_x"
    assert failed.tags == ("id-6b0d7a5e-7f3c-4d0f-9f7b-3f2d0a1b2c3d", "smoke")
    assert (failed.worker, failed.duration_ns) == ("3", 1_500_000_000)
    assert failed.started_ns == int(START.timestamp()) * 10**9
    assert failed.message == "Err: no Details: {why}"
    assert failed.detail == trace
    assert skipped.message == "no volumes here"


def test_a_test_that_never_ends_is_errored():
    stream = Stream()
    stream.test("a", "success")
    stream.result.status(test_id="b", test_status="inprogress", timestamp=START)
    cases, _, _ = stream.read()
    assert [(case.name, case.state) for case in cases] == [("a", CaseState.PASSED), ("b", CaseState.ERRORED)]
    assert "never ended" in cases[1].message


def test_a_test_that_never_ends_is_errored_also_without_a_time():
    stream = Stream()
    stream.result.status(test_id="a", test_status="inprogress")
    cases, _, _ = stream.read()
    assert [(case.name, case.state) for case in cases] == [("a", CaseState.ERRORED)]


def test_what_is_printed_into_the_stream_does_no_harm():
    stream = Stream()
    stream.bytes.write(b"Warning: something\n")
    stream.test("a", "success")
    stream.bytes.write(b"bye\n")
    cases, _, heard = stream.read()
    assert [case.name for case in cases] == ["a"]
    assert heard.noise == "Warning: something\nbye\n"


def test_only_the_end_of_a_huge_attachment_is_kept():
    stream = Stream()
    stream.test("a", "fail", traceback="x" * 1_000_000 + "\nErr: the end")
    (case,), _, _ = stream.read()
    assert len(case.detail) < 30_000
    assert case.detail.endswith("Err: the end")


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0), st.binary(max_size=40), st.integers(min_value=0, max_value=2000))
def test_a_damaged_stream_ends_with_what_was_whole_and_never_with_a_crash(at, noise, keep):
    stream = Stream()
    for number in range(5):
        stream.test(f"t{number}", "success", traceback="y" * 30)
    whole = stream.bytes.getvalue()
    at %= len(whole)
    damaged = (whole[:at] + noise + whole[at:])[:keep]
    cases = []
    read_subunit(io.BytesIO(damaged), cases.append)
    untouched = [case.name for case in cases[: max(0, len(cases) - 2)] if case.state is CaseState.PASSED]
    assert set(untouched) <= {f"t{number}" for number in range(5)}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_can_be_read(data):
    read_subunit(io.BytesIO(data), lambda _case: None)


def test_a_file_that_was_cut_off_is_refused_with_how_far_it_went(tmp_path):
    stream = Stream()
    for number in range(3):
        stream.test(f"t{number}", "success")
    file = tmp_path / "cut.subunit"
    file.write_bytes(stream.bytes.getvalue()[:-4])
    with pytest.raises(ResultsUnreadable, match="damaged after 3 tests"):
        read_results(file)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02" * 100, b"hello\n", b"\xb3garbage that is none"])
def test_what_is_no_result_is_refused(tmp_path, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ResultsUnreadable):
        read_results(file)


def test_version_1_is_read_too(tmp_path):
    file = tmp_path / "old.subunit"
    file.write_text(
        "time: 2026-11-26 03:00:00.000000Z\ntest: a.b\ntime: 2026-11-26 03:00:02.000000Z\nsuccess: a.b\n"
        "test: a.c\nfailure: a.c [\nTraceback (most recent call last):\n  File x\nErr: no\n]\n"
        "test: a.d\nskip: a.d [\nnot here\n]\n"
    )
    cases = read_results(file)
    assert [(case.name, case.state.value) for case in cases] == [
        ("a.b", "passed"),
        ("a.c", "failed"),
        ("a.d", "skipped"),
    ]
    assert cases[0].duration_ns == 2_000_000_000
    assert "Err: no" in cases[1].message
    assert cases[2].message == "not here"


@pytest.mark.parametrize("time", ["20x", "9999-99-99 00:00:00Z"])
def test_a_stream_of_version_1_with_a_time_that_is_none_is_damaged(tmp_path, time):
    file = tmp_path / "old"
    file.write_text(f"test: a\nsuccess: a\ntime: {time}\ntest: b\nsuccess: b\n")
    with pytest.raises(ResultsUnreadable, match="damaged after 1 tests"):
        read_results(file)


def test_a_stream_of_version_1_that_ends_a_test_that_never_began_is_damaged_and_no_crash(tmp_path):
    file = tmp_path / "old"
    file.write_text("test: a\nsuccess: a\nuxsuccess: f\n")
    with pytest.raises(ResultsUnreadable, match="damaged after 1 tests"):
        read_results(file)


_WORDS = [
    "test: a",
    "success: a",
    "success: b",
    "uxsuccess: a [",
    "uxsuccess: b",
    "skip: b",
    "xfail: b",
    "progress: ",
    "failure: a [",
    "]",
    "time: ",
    "tags: x -y",
    "progress: +",
    "error: b",
    "xfail a [ multipart",
]


@given(st.lists(st.sampled_from(_WORDS) | st.binary(max_size=8)))
@settings(max_examples=200, deadline=None)
def test_any_lines_can_be_read_as_version_1(lines):
    text = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    read_subunit_v1(io.BytesIO(text), lambda _case: None)


def test_brackets_without_an_id_belong_to_the_name():
    assert split_tags("test_x[param-1]") == ("test_x[param-1]", ())
    name, tags = split_tags("a.test[id-6b0d7a5e-7f3c-4d0f-9f7b-3f2d0a1b2c3d,smoke](more)")
    assert (name, tags[1]) == ("a.test(more)", "smoke")


def test_the_line_that_matters_of_a_traceback_is_the_exception():
    assert first_line("Traceback (most recent call last):\n  File x\n    code\nValueError: no\n") == "ValueError: no"
    assert first_line("") == ""
    assert first_line("just a line") == "just a line"
