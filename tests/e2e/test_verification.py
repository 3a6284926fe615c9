"""Verifications as a user has them: commands that write results, imports, comparisons, reports."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap

import pytest
from defusedxml.ElementTree import fromstring

RUNNER = """
import io, sys, time
from datetime import datetime, timezone
from subunit.v2 import StreamResultToBytes

out = StreamResultToBytes(sys.stdout.buffer)
now = lambda: datetime.now(timezone.utc)
for word in sys.argv[1:]:
    name, _, status = word.partition("=")
    if status == "cut":
        packet = io.BytesIO()
        StreamResultToBytes(packet).status(test_id=name, test_status="inprogress", timestamp=now())
        sys.stdout.buffer.write(packet.getvalue()[:9])
        break
    out.status(test_id=name, test_status="inprogress", timestamp=now())
    sys.stdout.flush()
    if status == "hang":
        time.sleep(600)
    if status == "die":
        sys.exit(9)
    if status == "fail":
        text = "Traceback (most recent call last):\\n  File x\\nAssertionError: it is hunter22 wrong"
        out.status(test_id=name, file_name="traceback", file_bytes=text.encode(), mime_type="text/plain", eof=True)
    if status == "skip":
        out.status(test_id=name, file_name="reason", file_bytes=b"not here", mime_type="text/plain", eof=True)
    out.status(test_id=name, test_status=status, timestamp=now())
    sys.stdout.flush()
"""


@pytest.fixture
def runner(tmp_path):
    """Return a command that writes a subunit stream of tests and how they end, as Tempest does."""
    file = tmp_path / "runner.py"
    file.write_text(RUNNER)

    def command(**tests):
        words = [sys.executable, str(file), *(f"suite.{name}={status}" for name, status in tests.items())]
        return json.dumps(shlex.join(words))

    return command


def workflow(cli, command, more=""):
    text = f"""\
rallyflow: 1
name: checks
steps:
  tests:
    uses: verify/command
    with:
      run: {command}
      result: {{subunit: '-'}}
"""
    return cli.workflow(text + textwrap.indent(textwrap.dedent(more), "      "))


def listed(cli):
    return {test["name"]: test for test in cli.json("verification", "show")["tests"]}


def test_a_command_gives_rows_and_its_verdict(cli, runner):
    done = cli.run("apply", workflow(cli, runner(a="success", b="fail", c="skip"), "env: {SECRET: x}\n"))
    assert done.returncode == 5
    assert "1 of 3 tests passed, 1 failed, 1 skipped; suite.b: AssertionError" in done.stderr
    tests = listed(cli)
    assert {name: test["state"] for name, test in tests.items()} == {
        "suite.a": "passed",
        "suite.b": "failed",
        "suite.c": "skipped",
    }
    assert tests["suite.b"]["detail"].startswith("Traceback")
    assert tests["suite.c"]["message"] == "not here"
    assert "suite.b" in cli.ok("sql", "SELECT name FROM tests WHERE state = 'failed'")


def test_all_passing_is_success(cli, runner):
    assert "2 of 2 tests passed" in cli.run("apply", workflow(cli, runner(a="success", b="success"))).stderr
    assert cli.json("verification", "list")[0]["counts"]["passed"] == 2


def test_expected_failures_count_as_such(cli, runner):
    lists = "xfail: {suite.a: bug 1, 'suite\\.[b]': bug 2}\n"
    done = cli.run("apply", workflow(cli, runner(a="fail", b="success"), lists))
    assert done.returncode == 5
    tests = listed(cli)
    assert tests["suite.a"]["state"] == "xfail"
    assert tests["suite.a"]["message"].startswith("bug 1: ")
    assert tests["suite.b"]["state"] == "uxsuccess"
    assert cli.run("apply", workflow(cli, runner(a="fail"), "xfail: {suite.a: bug 1, suite.z: old}\n")).returncode == 0
    assert "1 of 2 in `xfail` are about no test that ran: suite.z" in cli.ok("logs", "@latest", "tests")


def test_a_command_that_is_killed_after_tests_that_passed_has_not_succeeded(cli, runner):
    command = json.dumps(f"{json.loads(runner(a='success'))}; kill -9 $$")
    done = cli.run("apply", workflow(cli, command))
    assert done.returncode == 5
    assert "1 of 1 tests passed, and then signal 9 ended the command" in done.stderr
    assert listed(cli)["suite.a"]["state"] == "passed"


def test_what_results_say_commands_neither_the_terminal_nor_the_page(cli, tmp_path):
    words = "&lt;b&gt;&#x9b;31m&#x202e;"
    file = tmp_path / "results.xml"
    file.write_text(
        f'<testsuite><testcase name="{words}"><failure message="{words}">{words}</failure></testcase></testsuite>'
    )
    assert cli.run("verification", "import", str(file)).returncode == 5
    for shown in (
        cli.ok("verification", "show", "--detailed"),
        cli.ok("verification", "compare", "@latest", "@latest"),
    ):
        assert "<b>" in shown
        assert not any(char in shown for char in "\x9b\u202e")
    page = tmp_path / "page.html"
    cli.ok("verification", "report", "--html", str(page))
    assert "<b>" not in page.read_text()


def test_a_runner_that_dies_leaves_its_test_without_a_result(cli, runner):
    done = cli.run("apply", workflow(cli, runner(a="success", b="die")))
    assert done.returncode == 5
    assert listed(cli)["suite.b"]["state"] == "errored"


def test_a_stream_that_is_cut_off_has_not_succeeded_whatever_its_command_says(cli, runner):
    done = cli.run("apply", workflow(cli, runner(a="success", b="cut")))
    assert done.returncode == 5
    assert "1 of 1 tests passed; the stream of results is damaged: Short read" in done.stderr
    assert listed(cli)["suite.a"]["state"] == "passed"


def test_a_command_without_results_could_not_be_done(cli):
    done = cli.run("apply", workflow(cli, "'echo nothing here >&2; exit 3'"))
    assert done.returncode == 4
    assert "RF0682" in cli.ok("show")
    assert "nothing here" in done.stderr


def test_the_timeout_ends_it_and_keeps_what_has_run(cli, runner):
    done = cli.run("apply", workflow(cli, runner(a="success", b="hang"), "timeout: 8s\n"))
    assert done.returncode == 5
    assert "ended by its timeout" in done.stderr
    assert {name: test["state"] for name, test in listed(cli).items()} == {
        "suite.a": "passed",
        "suite.b": "errored",
    }


def test_a_killed_verification_runs_again_and_only_the_last_counts(cli, runner, tmp_path):
    flag = tmp_path / "flag"
    slow, fast = json.loads(runner(a="success", b="hang")), json.loads(runner(a="success", b="success"))
    command = json.dumps(f"if test -e {flag}; then {fast}; else touch {flag}; {slow}; fi")
    process = cli.start("apply", workflow(cli, command))
    cli.until(process, f"SELECT '{flag}' <> '' AND count(*) FROM step WHERE state = 'running'")
    while not flag.exists():
        assert process.poll() is None
    cli.kill(process)
    cli.ok("resume")
    assert cli.json("sql", "SELECT name, state FROM tests ORDER BY name") == [
        {"name": "suite.a", "state": "passed"},
        {"name": "suite.b", "state": "passed"},
    ]


JUNIT = '<testsuite name="s"><testcase classname="x" name="a" time="1"/>{}</testsuite>'
FAILED = '<testcase classname="x" name="b"><failure message="no">trace</failure></testcase>'


def test_junit_that_a_command_writes_is_read_and_what_was_there_before_is_not(cli, tmp_path):
    (tmp_path / "old.xml").write_text(JUNIT.format(FAILED))
    made = tmp_path / "made.xml"
    made.write_text(JUNIT.format(""))
    text = """\
rallyflow: 1
name: checks
steps:
  tests:
    uses: verify/command
    with:
      run: [cp, made.xml, out.xml]
      result: {junit: "*.xml"}
"""
    assert cli.run("apply", cli.workflow(text)).returncode == 0
    assert list(listed(cli)) == ["x.a"]
    done = cli.run("apply", cli.workflow(text.replace("[cp, made.xml, out.xml]", "'true'")))
    assert done.returncode == 4
    assert "without results" in done.stderr


def test_junit_may_be_written_anywhere(cli, tmp_path_factory):
    made = tmp_path_factory.mktemp("elsewhere") / "deep" / "out.xml"
    text = f"""\
rallyflow: 1
name: checks
steps:
  tests:
    uses: verify/command
    with:
      run: {json.dumps(f"mkdir -p {made.parent}; echo '{JUNIT.format('')}' > {made}")}
      result: {{junit: {made.parents[1]}/**/*.xml}}
"""
    assert cli.run("apply", cli.workflow(text)).returncode == 0
    assert list(listed(cli)) == ["x.a"]


@pytest.mark.parametrize("pattern", ["", ".", "/", "results/**.xml"])
def test_a_pattern_that_can_be_no_file_is_an_error_of_the_file(cli, pattern):
    text = f"""\
rallyflow: 1
name: checks
steps:
  tests:
    uses: verify/command
    with: {{run: "true", result: {{junit: ["{pattern}"]}}}}
"""
    done = cli.run("validate", cli.workflow(text))
    assert done.returncode == 3
    assert f"'{pattern}' names no file" in done.stderr


def test_results_of_others_are_imported_as_a_run(cli, tmp_path):
    file = tmp_path / "theirs.xml"
    file.write_text(JUNIT.format(FAILED))
    assert cli.run("verification", "import", file, "--name", "theirs").returncode == 5
    assert cli.json("runs")[0]["name"] == "theirs"
    assert listed(cli)["x.b"]["message"] == "no"
    (tmp_path / "xfail.yaml").write_text("x.b: bug 1\n")
    cli.ok("verification", "import", file, "--xfail", tmp_path / "xfail.yaml")
    assert listed(cli)["x.b"]["state"] == "xfail"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><testsuite/>", "document type"),
        (b"<testsuite><testcase", "no JUnit"),
        (b"\x7fELF\x00\x00", "neither subunit nor JUnit"),
        (b"\xb3\x29\x01", "damaged"),
        (b"", "neither"),
    ],
)
def test_what_can_not_be_imported_is_an_error_with_a_code(cli, tmp_path, content, says):
    file = tmp_path / "file"
    file.write_bytes(content)
    done = cli.run("verification", "import", file)
    assert done.returncode == 4
    assert says in done.stderr
    assert "RF0683" in cli.ok("show")


def test_verifications_are_compared_with_verdicts_and_an_exit_code(cli, runner, tmp_path):
    cli.run("apply", workflow(cli, runner(a="success", b="fail", c="success")))
    cli.run("apply", workflow(cli, runner(a="fail", b="success", d="success")))
    first, second = (run["run"] for run in cli.json("runs"))
    page, data = tmp_path / "page.html", tmp_path / "data.json"
    done = cli.run("verification", "compare", first, f"{second}:tests", "--html", page, "--to-json", data)
    assert done.returncode == 5
    assert "regressed: 1 new failure" in done.stderr
    verdicts = {test["name"]: test["verdict"] for test in json.loads(data.read_text())["tests"]}
    assert verdicts == {"suite.a": "new failure", "suite.b": "fixed", "suite.c": "gone", "suite.d": "new"}
    assert "suite.a" in page.read_text()
    assert cli.run("verification", "compare", first, second, "--max-new-failures", 1).returncode == 0
    assert cli.run("verification", "compare", second, second).returncode == 0
    assert cli.run("verification", "compare", first).returncode == 1


def test_several_verifications_are_reported_in_one(cli, runner, tmp_path):
    cli.run("apply", workflow(cli, runner(a="success", b="fail")))
    cli.run("apply", workflow(cli, runner(a="success", b="skip")))
    runs = [run["run"] for run in cli.json("runs")]
    junit, page = tmp_path / "both.xml", tmp_path / "both.html"
    cli.ok("verification", "report", *runs, "--junit", junit, "--html", page)
    suites = fromstring(junit.read_text())
    assert [(suite.get("tests"), suite.get("failures"), suite.get("skipped")) for suite in suites] == [
        ("2", "1", "0"),
        ("2", "0", "1"),
    ]
    assert "http" not in page.read_text().replace("http-equiv", "")
    cli.ok("report", "-o", tmp_path / "run.html")
    assert "1 test passed, 0 failed, 1 skipped." in (tmp_path / "run.html").read_text()


def test_what_is_not_there_is_told(cli, runner):
    cli.run("apply", workflow(cli, runner(a="success")))
    for arguments, says in (
        (("show", "@latest:nothing"), "there is no verification 'nothing'"),
        (("report",), "nothing to write"),
        (("rerun", "--failed"), "no test failed"),
        (("import", "no-such-file"), "there is no file"),
    ):
        done = cli.run("verification", *arguments)
        assert done.returncode == 1
        assert says in done.stderr


def test_secrets_stay_out_of_what_is_kept_of_tests(cli, runner):
    text = f"""\
rallyflow: 1
name: checks
secrets:
  word: {{env: WORD}}
steps:
  tests:
    uses: verify/command
    with:
      run: {runner(a="fail")}
      result: {{subunit: '-'}}
      env: {{W: "${{{{ secrets.word }}}}"}}
"""
    assert cli.run("apply", cli.workflow(text), WORD="hunter22").returncode == 5
    assert "it is ****** wrong" in listed(cli)["suite.a"]["detail"]
    kept = [path for path in cli.home.rglob("*") if path.is_file() and b"hunter22" in path.read_bytes()]
    assert kept == []
