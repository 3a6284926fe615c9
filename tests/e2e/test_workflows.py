"""The workflows that ship, through the program: small by default, and as they ship in the slow suite."""

from __future__ import annotations

from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SMALL = {
    "quickstart": ("-p", "users=1,3", "-p", "requests=6"),
    "cloud-bench": ("-p", "users=1,4", "-p", "requests=8"),
    "fast-rpc-option": ("-p", "users=1,3", "-p", "requests=6"),
    "boot-and-list": ("-p", "requests=6"),
    "snapshot": ("-p", "requests=4"),
}
REAL = {
    "openstack-multinode": (
        *("-p", "users=2", "-p", "requests=4", "-p"),
        "tests=tempest.api.identity.v3,tempest.api.compute.flavors,^tempest.api.network.*smoke",
    ),
    "option-sweep": ("-p", "rounds=1", "-p", "users=1", "-p", "requests=2"),
}
"""Those that build a real cloud; openstack-aio is tried, and killed on the way, in test_openstack.py."""
OTHERS = ("catalog", "openstack-aio", "under-option")  # the last one is a part of option-sweep
SHIPPED = sorted(path.stem for path in WORKFLOWS.glob("*.yaml") if path.stem not in (*OTHERS, *REAL))


def check(cli, gone, name, *arguments):
    cli.ok("apply", WORKFLOWS / f"{name}.yaml", *arguments)
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}
    assert cli.json("resources") == []
    (report,) = cli.home.glob("runs/*/report/index.html")
    page = report.read_text()
    assert "Simulated cloud" in page
    assert "<script src" not in page
    gone(cli.directory)


def test_every_shipped_workflow_is_tried():
    assert sorted(SMALL) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_workflow_succeeds_and_leaves_nothing(cli, gone, name):
    check(cli, gone, name, *SMALL[name])


def test_sql_answers_the_95th_percentile_of_each_action(cli):
    cli.ok("apply", WORKFLOWS / "snapshot.yaml", "-p", "requests=4")
    rows = cli.json(
        "sql", "SELECT name, count(*) AS n, quantile_cont(duration_s, 0.95) AS p95 FROM actions GROUP BY name"
    )
    assert {row["name"]: row["n"] for row in rows} == {
        "nova.boot_server": 8,
        "nova.create_image": 4,
        "nova.delete_server": 8,
        "glance.delete_image": 4,
    }
    assert all(row["p95"] > 0 for row in rows)


@pytest.mark.cloud
@pytest.mark.usefixtures("lxc_host")
@pytest.mark.parametrize("name", sorted(REAL))
def test_a_workflow_with_a_real_cloud_succeeds_and_leaves_nothing(cli, leftovers, name):
    done = cli.run("apply", WORKFLOWS / f"{name}.yaml", *REAL[name], timeout=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}
    assert cli.json("resources") == []
    (report,) = cli.home.glob("runs/*/report/index.html")
    assert "Simulated cloud" not in report.read_text()
    assert leftovers(cli.home) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_workflow_succeeds_as_it_ships(cli, gone, name):
    check(cli, gone, name)


@pytest.mark.slow
def test_listing_servers_slows_down_as_they_pile_up(cli):
    cli.ok("apply", WORKFLOWS / "boot-and-list.yaml")
    rows = cli.json(
        "sql",
        "SELECT iteration < 50 AS early, median(duration_s) AS m FROM actions "
        "WHERE name = 'nova.list_servers' AND (iteration < 50 OR iteration >= 150) GROUP BY ALL",
    )
    medians = {row["early"]: row["m"] for row in rows}
    assert medians[False] > 2 * medians[True]


@pytest.mark.slow
def test_the_reply_queue_option_wins_for_one_user_and_loses_for_many(cli):
    cli.ok("apply", WORKFLOWS / "fast-rpc-option.yaml", "-p", "users=1,30", "-p", "requests=150")
    rows = cli.json(
        "sql",
        "SELECT s.matrix->>'users' AS users, s.matrix->>'fast_rpc' AS fast, avg(i.duration_s) AS mean "
        "FROM iterations i JOIN steps s USING (run, step) GROUP BY ALL",
    )
    mean = {(row["users"], row["fast"]): row["mean"] for row in rows}
    assert mean["1", "true"] < mean["1", "false"]
    assert mean["30", "true"] > 1.1 * mean["30", "false"]
