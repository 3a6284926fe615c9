"""A cloud whose ports Open vSwitch binds: built on a container of another run, used, and removed without a trace."""

from __future__ import annotations

import pytest

from rallyflow.clouds.connection import sign_in
from rallyflow.model.values import Cloud
from tests.e2e.test_debian_cloud import on, outputs

pytestmark = pytest.mark.cloud

SERVERS = """
rallyflow: 1
name: server
steps:
  servers:
    uses: provision/lxc
    with: {packages: ["@openstack", "@openstack-openvswitch"], servers: [{name: aio}]}
defaults: {timeout: 40m}
teardown: never
"""
CLOUD = """
rallyflow: 1
name: switched
defaults: {timeout: 40m}
steps:
  servers:
    uses: provision/existing
    with:
      key_file: %(key_file)s
      known_hosts: %(known_hosts)s
      servers: [{name: aio, host: %(host)s, port: %(port)s}]
  cloud:
    uses: deploy/debian
    with: {servers: "${{ steps.servers.servers }}", network_driver: openvswitch}
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      contexts: {users: {}, network: {}}
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 4, concurrency: 2}}
      sla: [{failure_rate: {max: 0%%}}]
teardown: never
"""
BRIDGES = {"br-int", "br-tun"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, cli_in):
    """The run that has made a container, with what was on it before anything was deployed."""
    cli = cli_in(tmp_path_factory.mktemp("server"))
    done = cli.run("apply", cli.workflow(SERVERS), timeout=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    yield cli
    cli.ok("destroy", "@latest", "--yes")
    assert cli.json("resources") == []


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, cli_in, server):
    """The run that has built the cloud on it and booted servers."""
    cli = cli_in(tmp_path_factory.mktemp("cloud"))
    before = interfaces(server)
    done = cli.run("apply", cli.workflow(CLOUD % outputs(server, "servers")["servers"][0]), timeout=2400)
    yield cli, done
    on(server, "aio", "pkill -KILL ovs; true")  # a removal has to do without the switch
    cli.ok("destroy", "@latest", "--yes")
    assert cli.json("resources") == []
    assert interfaces(server) == before
    assert "ovs" not in on(server, "aio", "cat /proc/[0-9]*/comm")


def interfaces(cli):
    return set(on(cli, "aio", "ls /sys/class/net").split())


def network_of(cli):
    return sign_in(Cloud.model_validate(outputs(cli, "cloud")["cloud"])).service("network")


def test_servers_with_ports_are_booted(cloud):
    _cli, done = cloud
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_agent_runs_with_its_switch_and_reports_that_it_is_alive(cloud, server):
    cli, _done = cloud
    assert set(outputs(cli, "cloud")["started"]["aio"]) > {
        *("ovsdb-server", "ovs-vswitchd", "neutron-openvswitch-agent"),
    }
    (agent,) = network_of(cli).get("/agents").json()["agents"]
    assert (agent["binary"], agent["agent_type"]) == ("neutron-openvswitch-agent", "Open vSwitch agent")
    assert agent["alive"]
    assert set(on(server, "aio", "ovs-vsctl list-br").split()) >= BRIDGES


def test_a_port_is_bound_by_open_vswitch(cloud):
    network = network_of(cloud[0])
    made = network.post("/networks", {"network": {"name": "bound"}}).json()["network"]["id"]
    try:
        port = network.post("/ports", {"port": {"network_id": made, "binding:host_id": "aio"}}).json()["port"]
        assert port["binding:vif_type"] == "ovs"
        network.delete(f"/ports/{port['id']}")
    finally:
        network.delete(f"/networks/{made}")
