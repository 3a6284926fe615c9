"""Containers inside of provided servers: hosts that are reached by ssh, and one network over several of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rallyflow.model.records import Resource
from rallyflow.servers.providers.lxc.resources import LxcObjects

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

WORKFLOW = """
rallyflow: 1
name: nested
steps:
  outer:
    uses: provision/lxc
    with: {servers: [{name: host, count: 2}], nesting: true, packages: [lxc, nftables]}
  inner:
    uses: provision/lxc
    with:
      hosts: HOSTS
      servers: [{name: left, host: host1}, {name: right, host: host2}, {name: more, count: 2}]
      INPUTS
  work:
    uses: ssh
    with:
      servers: ${{ steps.inner.servers }}
      run: |
        for each in left right more1 more2; do ping -q -c 1 -W 5 $each || exit 1; done
        head -c 100000 /dev/zero | wc -c
"""


@pytest.fixture(autouse=True)
def nothing_left(request, leftovers):
    cli = request.getfixturevalue("cli")
    yield
    cli.stop_all()
    if cli.home.joinpath("journal.db").exists():
        assert leftovers(cli.home) == []


def nested_in(path: Path) -> set[str]:
    """Which containers a host has that is itself a container."""
    return {each.name.rpartition("-")[2] for each in path.glob("nested/var/lib/rallyflow/lxc/rf-*")}


def hosts_of(cli) -> dict[str, Path]:
    rows = cli.query("SELECT name FROM resource WHERE kind = 'lxc.server' AND step = 'outer' AND state <> 'deleted'")
    return {name.rpartition("-")[2]: Path("/var/lib/rallyflow/lxc", name) for (name,) in rows}


MADE = "${{ steps.outer.servers }}"
FOUND = "${{ steps.found.servers }}"
GIVEN = """
  found:
    uses: provision/existing
    with:
      key_file: ${{ steps.outer.servers[0].key_file }}
      known_hosts: ${{ steps.outer.servers[0].known_hosts }}
      servers:
        - {name: host1, host: "${{ steps.outer.servers[0].host }}"}
        - {name: host2, host: "${{ steps.outer.servers[1].host }}"}
"""


def workflow(inputs: str, hosts: str = MADE) -> str:
    text = WORKFLOW.replace("INPUTS", inputs).replace("HOSTS", hosts)
    return text.replace("\n  inner:", f"{GIVEN}\n  inner:") if hosts == FOUND else text


@pytest.mark.parametrize("inputs", ["nat: true", "forward_ssh: true\n      cpus: 0.5\n      memory: 128MiB"])
def test_containers_on_two_hosts_share_a_network_and_go_before_their_hosts(cli, inputs):
    cli.ok("apply", cli.workflow(workflow(inputs)), "--keep")
    hosts = hosts_of(cli)
    assert nested_in(hosts["host1"]) == {"left", "more1"}
    assert nested_in(hosts["host2"]) == {"right", "more2"}
    (inner,) = [each for each in cli.json("show")["steps"] if each["id"] == "inner"]
    forwarded = "forward" in inputs
    assert all(bool(each["jump"]) != forwarded for each in inner["outputs"]["servers"])
    rows = {row["id"]: row for row in cli.json("resources")}
    assert {rows[row["inside"]]["step"] for row in rows.values() if row["step"] == "inner"} == {"outer"}
    cli.ok("destroy", "@latest", "--yes")


def test_containers_on_servers_that_no_run_has_made_are_removed_there(cli):
    cli.ok("apply", cli.workflow(workflow("nat: true", FOUND)), "--keep")
    hosts = hosts_of(cli)
    assert nested_in(hosts["host1"]) == {"left", "more1"}
    assert {row["inside"] for row in cli.json("resources")} == {0}
    for row in sorted(cli.json("resources"), key=lambda row: -row["id"]):
        if row["step"] == "inner":
            LxcObjects().delete(Resource(**{name: value for name, value in row.items() if name != "run_state"}))
    assert nested_in(hosts["host1"]) == nested_in(hosts["host2"]) == set()
    left = [each.name for path in hosts.values() for each in path.glob("nested/var/lib/rallyflow/networks/*")]
    assert left == []
    cli.ok("destroy", "@latest", "--yes")  # what is gone already is fine


def test_a_host_that_lacks_something_says_all_of_it_and_the_packages_to_install(cli):
    text = workflow("nat: true").replace(", packages: [lxc, nftables]", "")
    done = cli.run("apply", cli.workflow(text))
    assert done.returncode == 4
    assert "RF0660" in done.stderr
    assert "lxc-start" in done.stderr
    assert "nft" in done.stderr
    assert "apt-get install --no-install-recommends lxc nftables" in cli.ok("logs", "@latest", "inner")


def test_a_container_without_nesting_is_no_host_and_says_why(cli):
    text = workflow("nat: true").replace("nesting: true, ", "")
    done = cli.run("apply", cli.workflow(text))
    assert done.returncode == 4
    assert "RF0660" in done.stderr
    assert "overlay" in done.stderr


def test_hosts_that_rebooted_have_their_containers_again(cli):
    text = workflow("nat: true").replace(
        "  work:", "  ask:\n    uses: approve\n    needs: [inner]\n    with: {message: look}\n  work:\n    needs: [ask]"
    )
    assert cli.run("apply", cli.workflow(text)).returncode == 7
    for path in hosts_of(cli).values():
        subprocess.run(["lxc-stop", "-P", path.parent, "-n", path.name, "-k"], check=True)
    cli.ok("approve")
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step IN ('outer', 'inner')") == [(2,)]
