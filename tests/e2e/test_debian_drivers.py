"""A cloud of real machines, by libvirt and qemu, whose ports Open vSwitch binds.

It is built on a container of another run, used, and removed without a trace, though a machine still runs then.
"""

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
    with: {packages: ["@openstack", "@openstack-libvirt", "@openstack-openvswitch"], servers: [{name: aio}]}
defaults: {timeout: 40m}
teardown: never
"""
CLOUD = """
rallyflow: 1
name: machines
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
    with: {servers: "${{ steps.servers.servers }}", driver: libvirt, network_driver: openvswitch}
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
    on(server, "aio", "pkill -KILL 'ovs|libvirtd'; true")  # a removal has to do without them
    cli.ok("destroy", "@latest", "--yes")
    assert cli.json("resources") == []
    assert interfaces(server) == before
    left = on(server, "aio", "cat /proc/[0-9]*/comm").split()
    assert [name for name in left if name.startswith(("ovs", "qemu", "libvirt", "virtlog"))] == []


def interfaces(cli):
    return set(on(cli, "aio", "ls /sys/class/net").split())


def service_of(cli, name):
    return sign_in(Cloud.model_validate(outputs(cli, "cloud")["cloud"])).service(name)


def test_machines_with_ports_are_booted(cloud):
    _cli, done = cloud
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_agent_runs_with_its_switch_and_reports_that_it_is_alive(cloud, server):
    cli, _done = cloud
    assert set(outputs(cli, "cloud")["started"]["aio"]) > {
        *("ovsdb-server", "ovs-vswitchd", "neutron-openvswitch-agent"),
    }
    (agent,) = service_of(cli, "network").get("/agents").json()["agents"]
    assert (agent["binary"], agent["agent_type"]) == ("neutron-openvswitch-agent", "Open vSwitch agent")
    assert agent["alive"]
    assert set(on(server, "aio", "ovs-vsctl list-br").split()) >= BRIDGES


def test_a_port_is_bound_by_open_vswitch(cloud):
    network = service_of(cloud[0], "network")
    made = network.post("/networks", {"network": {"name": "bound"}}).json()["network"]["id"]
    try:
        port = network.post("/ports", {"port": {"network_id": made, "binding:host_id": "aio"}}).json()["port"]
        assert port["binding:vif_type"] == "ovs"
        network.delete(f"/ports/{port['id']}")
    finally:
        network.delete(f"/networks/{made}")


def test_a_machine_really_runs_and_is_plugged_in(cloud, server, eventually):
    """It stays: the removal of the cloud has to end it."""
    compute, network = service_of(cloud[0], "compute"), service_of(cloud[0], "network")
    image = service_of(cloud[0], "image").get("/images?name=cirros").json()["images"][0]["id"]
    flavor = next(each["id"] for each in compute.get("/flavors").json()["flavors"] if each["name"] == "m1.tiny")
    net = network.post("/networks", {"network": {"name": "theirs"}}).json()["network"]["id"]
    network.post("/subnets", {"subnet": {"network_id": net, "ip_version": 4, "cidr": "10.9.0.0/24"}})
    body = {"name": "real", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": net}]}
    made = compute.post("/servers", {"server": body}).json()["server"]["id"]

    def is_active():
        status = compute.get(f"/servers/{made}").json()["server"]["status"]
        assert status != "ERROR"
        return status == "ACTIVE"

    eventually(is_active, "the machine runs", seconds=300)
    assert "qemu-system-x86" in on(server, "aio", "cat /proc/[0-9]*/comm")
    (port,) = network.get(f"/ports?device_id={made}").json()["ports"]
    assert f"tap{port['id'][:11]}" in on(server, "aio", "ovs-vsctl list-ports br-int")
