"""verify/tempest with a program in Tempest's place that speaks as it does; the real one is for tests/e2e."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import pytest

from rallyflow.errors import VerifierBroke
from rallyflow.model.secret import Secret
from rallyflow.model.values import Cloud
from rallyflow.verifiers.environment import Environment
from rallyflow.verifiers.tempest import step
from rallyflow.verifiers.tempest.conf import Account
from rallyflow.verifiers.tempest.inputs import TempestInputs
from rallyflow.verifiers.tempest.options import check

ID = "id-6b0d7a5e-7f3c-4d0f-9f7b-3f2d0a1b2c3d"
PROGRAM = """#!{python}
import pathlib, sys, time
from subunit.v2 import StreamResultToBytes

here = pathlib.Path(__file__).parent
if "--list-tests" in sys.argv:
    if (here / "slow").exists():
        time.sleep(600)
    print("m.C.test_a[{ID},smoke]", "m.C.test_b[{ID},smoke]", sep="\\n")
    sys.exit(0)
if (here / "ran").exists():
    sys.exit("no space left on device")
(here / "ran").touch()
out = StreamResultToBytes(sys.stdout.buffer)
for name in pathlib.Path(sys.argv[sys.argv.index("--load-list") + 1]).read_text().split():
    out.status(test_id=name, test_status="inprogress")
    out.status(test_id=name, test_status="fail" if "test_b" in name else "success")
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """An environment with that program, and nothing that asks a cloud."""
    path = tmp_path / "environment"
    (path / "lib" / "python3" / "site-packages" / "tempest").mkdir(parents=True)
    (path / "bin").mkdir()
    for name, text in (("tempest", PROGRAM.format(python=sys.executable, ID=ID)), ("stestr", "#!/bin/sh\n")):
        (path / "bin" / name).write_text(text)
        (path / "bin" / name).chmod(0o755)
    monkeypatch.setattr(step, "_configure", lambda *_: Account("u", "secret-word"))
    return Environment(path, {"tempest": "47.0.0"})


@pytest.fixture
def rows(monkeypatch):
    """The tests that a verification has booked."""
    found = []
    monkeypatch.setattr("rallyflow.verifiers.booking.book", lambda cases, _context: found.extend(cases))
    return found


def verify(made, context, **more):
    cloud = Cloud(name="c", kind="existing", clouds_yaml=made.path / "clouds.yaml", auth_url="http://c")
    inputs = TempestInputs(cloud=cloud, **more)
    return step._verify(inputs, replace(context, secrets=(Secret("other"),)), made, step._Lists.read(inputs, context))


def test_a_time_that_is_over_while_tests_are_listed_is_a_failure(made, context, rows):
    (made.path / "bin" / "slow").touch()
    done = verify(made, context, timeout=0.5)
    assert (done.state, rows) == ("failed", [])
    assert done.reason.startswith("ended by its timeout")


def test_a_wish_to_stop_while_tests_are_listed_is_none(made, context, rows):
    (made.path / "bin" / "slow").touch()
    context.stop.set()
    done = verify(made, context)
    assert (done.state, done.reason, rows) == ("interrupted", "stopped before the first test", [])


def test_a_rerun_that_does_not_get_going_leaves_the_first_results(made, context, rows, caplog):
    caplog.set_level(logging.WARNING)
    done = verify(made, context, rerun_failed=2)
    assert done.state == "failed"
    assert {case.name: (case.state.value, case.attempts) for case in rows} == {
        "m.C.test_a": ("passed", 1),
        "m.C.test_b": ("failed", 1),
    }
    assert [text for text in caplog.messages if "no space left" in text and "stay as they were" in text]


@pytest.mark.parametrize("name", ["m.C.test_b", f"m.C.test_b[{ID},smoke]"])
def test_what_failed_earlier_is_found_in_a_list_to_load_with_tags_and_without(
    made, context, rows, monkeypatch, tmp_path, name
):
    monkeypatch.setattr(step, "failed_of", lambda *_: {"m.C.test_b", "m.C.test_other"})
    load = tmp_path / "load"
    load.write_text(f"m.C.test_a\n{name}\n")
    verify(made, context, failed_of="20261126-030000-abcde", load_list=load)
    assert [case.name for case in rows] == ["m.C.test_b"]


def test_what_is_to_be_skipped_and_is_no_test_is_named_and_what_is_only_not_chosen_is_not(made, context, rows, caplog):
    caplog.set_level(logging.WARNING)
    skip = {"m.C.test_a": "bug 1", "m.C.test_aa": "bug 2", "test_[xy]": "bug 3"}
    verify(made, context, pattern="test_b", skip=skip)
    assert [case.name for case in rows] == ["m.C.test_b"]
    assert [text for text in caplog.messages if "skip" in text] == [
        "2 of 3 in `skip` are about no test that there is: m.C.test_aa, test_[xy]"
    ]


def knows(made, text):
    """Let the Python of the environment print a text, as the program does that asks Tempest for its options."""
    program = made.path / "bin" / "python"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


OPTIONS = """echo noise; echo '{"compute": ["region", "image_ref"], "default": ["debug"]}'"""


@pytest.mark.parametrize(
    "config",
    [{}, {"compute": {"region": "r"}, "DEFAULT": {"debug": True}}, {"Compute": {"region": "r"}}, {"x": {"y": None}}],
)
def test_options_that_tempest_knows_and_those_taken_away_are_let_pass(made, context, config):
    knows(made, OPTIONS)
    check(config, made, context)


@pytest.mark.parametrize(
    ("config", "named", "hint"),
    [
        ({"no-such-section": {"x": 1}}, "no-such-section.x", "sections: compute, default"),
        ({"compte": {"region": 1}}, "compte.region", "did you mean 'compute'?"),
        (
            {"compute": {"image_rf": 1, "region": 1}, "a": {"b": 1}},
            "compute.image_rf, a.b",
            "did you mean 'image_ref'?",
        ),
    ],
)
def test_options_that_tempest_would_ignore_are_refused(made, context, config, named, hint):
    knows(made, OPTIONS)
    with pytest.raises(VerifierBroke, match=f"Tempest 47.0.0 knows no option {named}$") as caught:
        check(config, made, context)
    assert caught.value.hint == hint


def test_a_tempest_that_cannot_say_its_options_is_an_error_with_what_it_said(made, context):
    knows(made, "echo 'no module named plugin' >&2; exit 1")
    with pytest.raises(VerifierBroke, match="no module named plugin"):
        check({"compute": {"region": 1}}, made, context)


def test_options_are_checked_before_anything_is_booked_or_made(made, context, monkeypatch):
    knows(made, OPTIONS)
    monkeypatch.setattr(step, "install", lambda *_: made)
    cloud = Cloud(name="c", kind="existing", clouds_yaml=made.path / "clouds.yaml", auth_url="http://c")
    with pytest.raises(VerifierBroke):
        step.TempestStep().run(TempestInputs(cloud=cloud, config={"x": {"y": 1}}), context)
