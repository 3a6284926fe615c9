"""A real OpenStack: containers, Debian's packages, Tempest, loads; killed on the way, and gone in the end.

All of it goes through the program, as root would type it. Where a machine can't have containers, it is skipped with the
reason. Limits of time are generous: a busy machine makes this slow, not red.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rallyflow.bench.scenarios.catalog import names as scenario_names
from rallyflow.clouds.connection import sign_in
from rallyflow.model.values import Cloud

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

WORKFLOWS = Path(__file__).parents[2] / "workflows"
LONG = 1800  # seconds
SMALL = ("-p", "users=2", "-p", "requests=6", "-p", "tests=tempest.api.compute.flavors")

BOOT = {"image": {"name": "cirros"}, "flavor": {"name": "m1.tiny"}}
SEQUENCES = {
    "authenticate.keystone": {},
    "cinder.create_and_delete_volume": {},
    "cinder.create_and_list_volume": {},
    "glance.create_and_delete_image": {},
    "glance.list_images": {},
    "neutron.create_and_list_networks": {},
    "neutron.create_and_delete_networks": {},
    "neutron.create_and_delete_subnets": {},
    "nova.boot_server": BOOT,
    "nova.boot_and_delete_server": BOOT,
    "nova.boot_and_list_server": BOOT,
    "nova.boot_and_show_server": BOOT,
    "nova.boot_and_reboot_server": BOOT,
    "nova.pause_and_unpause_server": BOOT,
    "nova.snapshot_server": BOOT,
    "nova.list_servers": {},
    "nova.list_flavors": {},
}
"""Every scenario that ships and needs a cloud, with what it needs."""

CLOUD = """
rallyflow: 1
name: kept
teardown: never
steps:
  servers:
    uses: provision/lxc
    with: {servers: [{name: aio, memory: 10GiB}], packages: ["@openstack"]}
  cloud:
    uses: deploy/debian
    with: {servers: "${{ steps.servers.servers }}", base: {}}
"""


def killed_when(cli, query, *arguments):
    """Run the program until a query of the journal gives a true value, and kill -9 it and its workers then."""
    process = cli.start(*arguments)
    cli.until(process, query, timeout=LONG)
    cli.kill(process)


def outcomes(cli):
    rows = cli.query("SELECT step, state, count(*) FROM event WHERE kind = 'outcome' GROUP BY ALL ORDER BY ALL")
    return {(step, state): count for step, state, count in rows}


@pytest.fixture(scope="module")
def kept(cli_in, leftovers, tmp_path_factory):
    """A cloud on one server, which tests share and must not break; destroyed at the end, with nothing left."""
    cli = cli_in(tmp_path_factory.mktemp("kept"))
    try:
        cli.ok("apply", cli.workflow(CLOUD), timeout=LONG)
        yield cli
    finally:
        cli.run("destroy", "@latest", "--yes", timeout=LONG)
        cli.stop_all()
    assert leftovers(cli.home) == []


def test_killed_in_provision_deploy_and_benchmark_it_ends_well_and_leaves_nothing(cli, leftovers, gone):
    killed_when(
        cli,
        "SELECT count(*) FROM resource WHERE kind = 'lxc.server' AND state = 'intent'",
        *("apply", WORKFLOWS / "openstack-aio.yaml", *SMALL),
    )
    killed_when(cli, "SELECT count(*) FROM progress WHERE step = 'cloud' AND note LIKE '%identity%'", "resume")
    killed_when(cli, "SELECT count(*) FROM part WHERE tbl = 'iterations'", "resume")
    done = cli.run("resume", timeout=LONG)
    assert done.returncode == 0, done.stderr
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}
    (row,) = cli.json("sql", "SELECT count(*) AS n, count(DISTINCT iteration) AS different FROM iterations")
    assert row == {"n": 6, "different": 6}
    assert cli.json("resources") == []
    assert leftovers(cli.home) == []
    gone(cli.directory)


def test_scenarios_do_the_same_on_the_simulated_cloud_and_on_the_real_one(cli, kept):
    where = cloud_of(kept)
    real = sequences(cli, {"cloud": {"uses": "deploy/existing", "with": where}})
    simulated = sequences(
        cli,
        {
            "servers": {"uses": "provision/local"},
            "cloud": {"uses": "deploy/embedded", "with": {"servers": "${{ steps.servers.servers }}"}},
        },
    )
    assert real == simulated
    assert {step for step, *_ in real} == {key_of(name) for name in SEQUENCES}
    assert all(ok for *_, ok in real)


def cloud_of(cli):
    """Return where the credentials of the newest run's cloud are."""
    (outputs,) = cli.query("SELECT outputs FROM step WHERE id = 'cloud' ORDER BY run DESC LIMIT 1")
    cloud = json.loads(outputs[0])["cloud"]
    return {"cloud": cloud["name"], "clouds_yaml": cloud["clouds_yaml"]}


def signed_in(cli):
    """Sign in to the cloud of the newest run as its admin."""
    (outputs,) = cli.query("SELECT outputs FROM step WHERE id = 'cloud' ORDER BY run DESC LIMIT 1")
    return sign_in(Cloud.model_validate(json.loads(outputs[0])["cloud"]))


def key_of(scenario):
    return scenario.replace(".", "_")


def sequences(cli, steps):
    """Return every action of two iterations of each scenario: its place, what it is inside of, its name, its end."""
    before = "cloud"
    for scenario, args in SEQUENCES.items():
        steps[key_of(scenario)] = {
            "uses": "benchmark",
            "needs": [before],
            "with": {
                "cloud": "${{ steps.cloud.cloud }}",
                "scenario": scenario,
                "args": args,
                "contexts": {"users": {}, "network": {}},
                "load": {"serial": {"iterations": 2}},
            },
        }
        before = key_of(scenario)
    cli.ok("apply", cli.workflow(json.dumps({"rallyflow": 1, "name": "sequences", "steps": steps})), timeout=LONG)
    run = cli.json("runs")[0]["run"]
    rows = cli.json("sql", "--run", run, "SELECT step, iteration, position, parent, name, ok FROM actions ORDER BY ALL")
    return [tuple(row.values()) for row in rows]


CLONE = """
rallyflow: 1
name: clone
teardown: never
steps:
  servers: {uses: provision/lxc, with: {servers: [{name: aio}], image: %s}}
  cloud: {uses: deploy/debian, with: {servers: "${{ steps.servers.servers }}"%s}}
"""


def test_a_deployed_server_is_cloned_with_what_it_holds(cli, kept, leftovers):
    """The last one with the cloud of all: a snapshot stops its services."""
    image = f"deployed-{kept.directory.name}"
    flavor = {"name": "of-the-first", "ram": 64, "vcpus": 1, "disk": 1}
    signed_in(kept).service("compute").post("/flavors", {"flavor": flavor})
    kept.ok("snapshot", "@latest", "aio", image, timeout=LONG)
    try:
        done = cli.run("apply", cli.workflow(CLONE % (image, "")), timeout=LONG)
        assert done.returncode == 4
        assert "RF0672" in done.stderr, "it holds the deployment of another run"
        cli.ok("destroy", "@latest", "--yes", timeout=LONG)
        cli.ok("apply", cli.workflow(CLONE % (image, ", take_over: true")), timeout=LONG)
        assert "of-the-first" in {flavor["name"] for flavor in cli.json("discover", "@latest")["flavors"]}
        cli.ok("destroy", "@latest", "--yes", timeout=LONG)
    finally:
        cli.ok("images", "--remove", image)
    assert leftovers(cli.home) == []


def test_the_comparison_has_every_scenario_that_needs_a_cloud():
    assert set(SEQUENCES) == {name for name in scenario_names() if not name.startswith("dummy.")}
