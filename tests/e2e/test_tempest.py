"""The real Tempest, from the package index, against the embedded cloud."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

WORKFLOW = """\
rallyflow: 1
name: verified
params:
  pattern: {type: "list(str)", default: ['flavors\\.test_flavors\\.']}
teardown: %s
steps:
  servers:
    uses: provision/local
  cloud:
    uses: deploy/embedded
    with: {servers: "${{ steps.servers.servers }}", keep: true}
  tempest:
    uses: verify/tempest
    with:
      cloud: ${{ steps.cloud.cloud }}
      pattern: ${{ params.pattern }}
      skip: {test_list_flavors_with_detail: not of interest}
      xfail: {test_list_flavors_filter_by_min_disk: known}
      config: {compute: {min_compute_nodes: 1}}
      test_timeout: 2m
  report:
    uses: report/html
    if: always()
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One environment for all tests here: it takes a while to install."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tempest(cli, cache):
    def apply(text, *arguments, **more):
        return cli.run("apply", cli.workflow(text), *arguments, RALLYFLOW_CACHE=str(cache), timeout=900, **more)

    return apply


def listed(cli):
    return {test["name"].rpartition(".")[2]: test for test in cli.json("verification", "show")["tests"]}


def test_tempest_verifies_a_cloud_and_leaves_nothing_there(cli, tempest):
    done = tempest(WORKFLOW % "always")
    assert done.returncode == 5, done.stderr
    tests = listed(cli)
    assert tests["test_get_flavor"]["state"] == "passed"
    assert tests["test_list_flavors"]["state"] == "passed"
    assert tests["test_list_flavors_with_detail"]["message"] == "not of interest"
    assert tests["test_list_flavors_filter_by_min_disk"]["state"] == "uxsuccess"
    assert any(tag.startswith("id-") for tag in tests["test_get_flavor"]["tags"])
    shown = cli.json("show")
    assert shown["resources"] == []
    verification = next(step for step in shown["steps"] if step["id"] == "tempest")["outputs"]["verification"]
    assert verification["versions"]["tempest"] == "47.0.0"
    conf = next(cli.home.rglob("tempest.conf"))
    assert conf.stat().st_mode & 0o077 == 0
    password = next(line.split(" = ")[1] for line in conf.read_text().splitlines() if "admin_password" in line)
    others = [path for path in cli.home.rglob("*") if path.is_file() and path != conf]
    assert [path for path in others if password.encode() in path.read_bytes()] == []


def test_no_test_at_all_is_an_error_that_names_the_sets(cli, tempest):
    done = tempest(WORKFLOW % "always", "-p", 'pattern=["set=smoky"]')
    assert done.returncode == 4
    assert "did you mean 'smoke'" in cli.ok("show")


def test_options_that_tempest_does_not_know_are_refused_before_anything_is_made(cli, tempest):
    done = tempest(WORKFLOW.replace("min_compute_nodes: 1}", "min_compute_nods: 1}, no-such: {x: 1}") % "always")
    assert done.returncode == 4, done.stderr
    shown = cli.ok("show")
    assert "Tempest 47.0.0 knows no option compute.min_compute_nods, no-such.x" in shown
    assert "did you mean 'min_compute_nodes'" in shown
    assert list(cli.home.rglob("tempest.conf")) == []


def test_tempest_that_is_killed_runs_again_and_nothing_is_left(cli, tempest, cache):
    text = WORKFLOW % "never"
    done = tempest(text)  # the environment is there now
    assert done.returncode == 5
    process = cli.start("apply", cli.workflow(text), RALLYFLOW_CACHE=str(cache))
    cli.until(process, "SELECT count(*) = 2 FROM resource WHERE kind = 'tempest.workspace'")
    cli.kill(process)
    run = cli.json("runs")[-1]["run"]
    assert [each["kind"] for each in cli.json("show", run)["resources"]] == ["embedded.cloud", "tempest.workspace"]
    resumed = cli.run("resume", run, RALLYFLOW_CACHE=str(cache), timeout=900)
    assert resumed.returncode == 5, resumed.stderr
    assert [each["kind"] for each in cli.json("show", run)["resources"]] == ["embedded.cloud"]
    counts = cli.json("sql", f"SELECT name, count(*) AS n FROM tests WHERE run = '{run}' GROUP BY name HAVING n > 1")
    assert counts == []
    rerun = cli.run("verification", "rerun", "--failed", RALLYFLOW_CACHE=str(cache), timeout=900)
    assert rerun.returncode == 5, rerun.stderr
    assert {name: test["state"] for name, test in listed(cli).items()} == {
        "test_list_flavors_filter_by_min_disk": "uxsuccess"
    }
