"""kill -9 of the whole process group, for real, then `rallyflow resume`."""

from __future__ import annotations

from collections import Counter

import openstack
import pytest

WORKFLOW = """
rallyflow: 1
name: killed
steps:
  servers: {uses: provision/local}
  cloud:
    uses: deploy/embedded
    with: {servers: "${{ steps.servers.servers }}"}
  health:
    uses: verify/api
    with: {cloud: "${{ steps.cloud.cloud }}"}
  boot:
    uses: benchmark
    needs: [health]
    matrix: {users: [1, 4]}
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 40, concurrency: "${{ matrix.users }}"}}
  look:
    uses: shell
    needs: [boot]
    with: {run: "cat ${{ steps.cloud.cloud.clouds_yaml }} > clouds-seen.yaml; while test -e hold; do sleep 0.05; done"}
  report:
    uses: report/html
    needs: [look]
    with: {of: "${{ steps.boot.results }}"}
"""

INTENT = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = '{}'"
POINTS = {
    "when the run begins": "SELECT count(*) FROM run",
    "during provision": INTENT.format("servers"),
    "during deploy": INTENT.format("cloud"),
    "as the cloud is booked": "SELECT count(*) FROM resource WHERE kind = 'embedded.cloud' AND state = 'created'",
    "during verification": "SELECT count(*) FROM resource WHERE step = 'health'",
    "as contexts are set up": "SELECT count(*) FROM resource WHERE kind = 'openstack.user' AND step LIKE 'boot%'",
    "during a benchmark cell": "SELECT count(*) FROM part WHERE tbl = 'iterations'",
    "between two cells": "SELECT count(*) FROM event WHERE kind = 'outcome' AND step = 'boot[users=1]'",
    "during the second cell": INTENT.format("boot[users=4]"),
    "during the report": INTENT.format("report"),
    "during teardown": "SELECT count(*) FROM event WHERE kind = 'teardown'",
}


def finished_steps(cli):
    return Counter(
        step for (step,) in cli.query("SELECT step FROM event WHERE kind = 'outcome' AND state = 'succeeded'")
    )


def check_the_end(cli, gone, finished_before):
    steps = dict(cli.query("SELECT id, state FROM step"))
    assert set(steps.values()) == {"succeeded"}, steps
    assert all(count == 1 for count in finished_steps(cli).values())
    for step in finished_before:
        assert cli.query(f"SELECT count(*) FROM event WHERE kind = 'intent' AND step = '{step}'") == [(1,)]
    rows = cli.json("sql", "SELECT step, count(*) AS n, count(DISTINCT iteration) AS d FROM iterations GROUP BY step")
    assert [(row["n"], row["d"]) for row in rows] == [(40, 40), (40, 40)]
    assert cli.query("SELECT count(*) FROM resource WHERE state <> 'deleted'") == [(0,)]
    assert list(cli.home.glob("runs/*/report/index.html"))
    assert cli.json("doctor", "--fsck")["clean"]
    gone(cli.directory)


QUICK = ("during a benchmark cell",)


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=() if point in QUICK else pytest.mark.slow) for point in POINTS]
)
def test_a_killed_run_is_finished_by_resume(cli, gone, point):
    process = cli.start("apply", cli.workflow(WORKFLOW))
    cli.until(process, POINTS[point])
    cli.kill(process)
    gone(cli.directory)
    assert "dead" in cli.ok("runs")
    finished = finished_steps(cli)
    cli.ok("resume")
    check_the_end(cli, gone, finished)


@pytest.mark.slow
def test_a_run_may_be_killed_again_and_again(cli, gone):
    process = cli.start("apply", cli.workflow(WORKFLOW))
    for point in (
        "during deploy",
        "as contexts are set up",
        "during a benchmark cell",
        "during the second cell",
    ):
        cli.until(process, POINTS[point])
        cli.kill(process)
        process = cli.start("resume")
    assert process.wait(timeout=240) == 0
    check_the_end(cli, gone, ())


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of openstacksdk about itself
def test_no_server_user_or_network_of_a_killed_benchmark_is_left_in_the_cloud(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(WORKFLOW))
    cli.until(process, POINTS["as contexts are set up"])
    cli.kill(process)
    resumed = cli.start("resume")
    cli.until(resumed, INTENT.format("look"))
    seen = cli.directory / "clouds-seen.yaml"
    while not seen.exists() or not seen.read_text():
        assert resumed.poll() is None
    config = openstack.config.OpenStackConfig(config_files=[str(seen)], load_envvars=False)
    with openstack.connection.Connection(config=config.get_one(cloud="embedded")) as cloud:
        assert list(cloud.compute.servers(all_projects=True)) == []
        assert [user.name for user in cloud.identity.users() if user.name.startswith("rf-")] == []
        assert [project.name for project in cloud.identity.projects() if project.name.startswith("rf-")] == []
    (cli.directory / "hold").unlink()
    assert resumed.wait(timeout=120) == 0


def test_destroy_removes_what_a_killed_run_left(cli, gone):
    process = cli.start("apply", cli.workflow(WORKFLOW))
    cli.until(process, POINTS["as contexts are set up"])
    cli.kill(process)
    run = cli.json("runs")[0]["run"]
    assert cli.json("resources")
    cli.ok("destroy", run, "--yes")
    assert cli.json("resources") == []
    assert not list(cli.home.glob("runs/*/artifacts/cloud/cloud"))
    gone(cli.directory)
