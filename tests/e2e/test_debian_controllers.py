"""Two controllers and a compute host: requests are shared, go on without one of them, and none is lost for good."""

from __future__ import annotations

import pytest

from rallyflow.clouds.connection import sign_in
from rallyflow.model.values import Cloud
from tests.e2e.test_debian_cloud import on, outputs

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

LONG = 2400  # seconds
WORKFLOW = """
rallyflow: 1
name: controllers
defaults: {timeout: 40m}
teardown: never
steps:
  servers:
    uses: provision/lxc
    with:
      packages: ["@openstack", "@openstack-controllers"]
      servers: [{name: ctl, count: 2}, {name: compute}]
  cloud:
    uses: deploy/debian
    with:
      servers: ${{ steps.servers.servers }}
      roles: {controller: 2, compute: 1}
  boot:
    uses: benchmark
    needs: [cloud]
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 6, concurrency: 3}}
      sla: [{failure_rate: {max: 0%}}]
"""
ALONE = {"mariadb", "rabbitmq", "memcached", "haproxy", "glance-api", "cinder-volume"}
PORTS = {"keystone": 5000, "placement-api": 8778, "nova-api": 8774, "neutron-api": 9696, "cinder-api": 8776}
LISTS = {
    "compute": "/servers/detail",
    "network": "/networks",
    "block-storage": "/volumes/detail",
    "placement": "/resource_providers",
    "image": "/images",
}
CHANGE = """
  change:
    uses: deploy/debian
    needs: [boot]
    with:
      cloud: ${{ steps.cloud.cloud }}
      config: {nova: {conductor: {workers: 2}}}
"""
AGAIN = """
  %(name)s:
    uses: benchmark
    with:
      cloud: ${{ steps.%(cloud)s.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 2, concurrency: 1}}
      sla: [{failure_rate: {max: 0%%}}]
"""
KILL = (
    "for p in /proc/[0-9]*; do grep -qzE '^RALLYFLOW_DAEMON=[^ ]+ (%s) ' $p/environ 2>/dev/null "
    "&& kill -KILL ${p#/proc/}; done; true"
)


@pytest.fixture(scope="module")
def cli(cli_in, leftovers, tmp_path_factory):
    """The program, in a home with one cloud, which is destroyed at the end with nothing left."""
    cli = cli_in(tmp_path_factory.mktemp("controllers"))
    try:
        cli.ok("apply", cli.workflow(WORKFLOW), timeout=LONG)
        yield cli
    finally:
        cli.run("destroy", "@latest", "--yes", timeout=LONG)
        cli.stop_all()
    assert leftovers(cli.home) == []


def session(cli):
    return sign_in(Cloud.model_validate(outputs(cli, "cloud")["cloud"]))


def workers(cli, name):
    return on(cli, name, "grep -A1 '^.conductor' /etc/nova/nova.conf").strip().rpartition(" ")[2]


def test_both_controllers_have_the_apis_and_the_first_has_the_rest(cli):
    started = {name: set(daemons) for name, daemons in outputs(cli, "cloud")["started"].items()}
    assert started["ctl1"] - started["ctl2"] == ALONE
    assert set(PORTS) < started["ctl2"] < started["ctl1"]
    assert started["compute"] == {"nova-compute", "neutron-linuxbridge-agent"}
    assert "haproxy" in outputs(cli, "cloud")["cloud"]["versions"]


def test_both_say_that_they_are_up(cli):
    found = session(cli).service("compute").get("/os-services").json()["services"]
    up = {(each["binary"], each["host"]) for each in found if each["state"] == "up"}
    assert {(f"nova-{what}", host) for what in ("conductor", "scheduler") for host in ("ctl1", "ctl2")} <= up


@pytest.mark.parametrize("name", ["ctl1", "ctl2"])
def test_requests_go_on_without_the_apis_of_a_controller_and_resume_brings_those_back(cli, name):
    on(cli, name, KILL % "|".join(PORTS))
    for _turn in range(4):
        alone = session(cli)  # signs in anew
        for service, path in LISTS.items():
            assert alone.service(service).get(path).status_code == 200, service
    more = AGAIN % {"name": f"without_{name}", "cloud": "cloud"}
    cli.ok("resume", "@latest", "--with", cli.workflow(WORKFLOW + more, f"{name}.yaml"), timeout=LONG)
    for port in PORTS.values():
        on(cli, name, f"bash -c '< /dev/tcp/127.0.0.1/{port}'")


def test_what_uses_the_cloud_as_it_was_built_gets_it_so_after_a_change(cli):
    changed = WORKFLOW + CHANGE + AGAIN % {"name": "changed", "cloud": "change"}
    cli.ok("resume", "@latest", "--with", cli.workflow(changed, "changed.yaml"), timeout=LONG)
    assert {workers(cli, name) for name in ("ctl1", "ctl2")} == {"2"}
    as_built = changed + AGAIN % {"name": "as_built", "cloud": "cloud"}
    cli.ok("resume", "@latest", "--with", cli.workflow(as_built, "as-built.yaml"), timeout=LONG)
    assert {workers(cli, name) for name in ("ctl1", "ctl2")} == {"1"}
    again = as_built + AGAIN % {"name": "changed_again", "cloud": "change"}
    cli.ok("resume", "@latest", "--with", cli.workflow(again, "again.yaml"), timeout=LONG)
    assert {workers(cli, name) for name in ("ctl1", "ctl2")} == {"2"}
