"""verify/pytest with the real pytest, installed from the package index."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

SUITE = """
import json, os, time
import pytest

def test_ok(): assert json.loads(os.environ["RALLYFLOW_SERVERS"])[0]["connection"] == "local"
def test_no(): assert 1 == 2
@pytest.mark.parametrize("word", ["a", "b"])
def test_word(word): assert word == "a"
@pytest.mark.xfail(reason="bug 1")
def test_known(): assert False
def test_away(): pytest.skip("not here")
"""
WORKFLOW = """\
rallyflow: 1
name: suites
steps:
  servers: {uses: provision/local}
  tests:
    uses: verify/pytest
    with:
      servers: ${{ steps.servers.servers }}
      paths: suite
      %s
"""


def test_a_suite_of_ones_own(cli, tmp_path, tmp_path_factory):
    cache = {"RALLYFLOW_CACHE": str(tmp_path_factory.mktemp("cache"))}
    (tmp_path / "suite").mkdir()
    file = tmp_path / "suite" / "test_it.py"
    file.write_text(SUITE)
    done = cli.run("apply", cli.workflow(WORKFLOW % "xfail: {'test_word': bug 2}"), **cache)
    assert done.returncode == 5, done.stderr
    shown = cli.json("verification", "show")
    assert {test["name"].rpartition(".")[2]: test["state"] for test in shown["tests"]} == {
        "test_ok": "passed",
        "test_no": "failed",
        "test_word[a]": "uxsuccess",
        "test_word[b]": "xfail",
        "test_known": "xfail",
        "test_away": "skipped",
    }
    assert shown["versions"]["pytest"] == "9.2.0"
    file.write_text("import time\ndef test_a(): pass\ndef test_b(): time.sleep(600)\n")
    done = cli.run("apply", cli.workflow(WORKFLOW % "timeout: 15s"), **cache)
    assert done.returncode == 5, done.stderr
    assert "ended by its timeout: 1 of" in done.stderr
    file.write_text("import no_such_module\n")
    done = cli.run("apply", cli.workflow(WORKFLOW % "timeout: 1m"), **cache)
    assert done.returncode == 5, done.stderr
    file.write_text("")
    assert cli.run("apply", cli.workflow(WORKFLOW % "timeout: 1m"), **cache).returncode == 4
