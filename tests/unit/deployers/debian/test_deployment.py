"""What is done on all servers before any of their services is touched."""

from __future__ import annotations

import pytest

from rallyflow.deployers.debian import deployment
from rallyflow.deployers.debian.deployment import all_have, deploy
from rallyflow.deployers.debian.fitness import check_kernel, check_volume_group
from rallyflow.deployers.debian.inputs import DebianInputs
from rallyflow.deployers.debian.layout import Role, lay_out
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.errors import PackagesMissing, ServerUnfit
from rallyflow.model.values import Server
from rallyflow.servers.packages import SETS

SERVERS = tuple(Server(name=name, host="127.0.0.1") for name in ("ctl1", "ctl2", "compute"))

STORAGE_APART = {Role.CONTROLLER: ("ctl1",), Role.COMPUTE: ("ctl2",), Role.STORAGE: ("compute",)}
KERNEL = {"kernel": [], "volume_groups": []}


@pytest.fixture
def agents(monkeypatch):
    """Servers with every package but the load balancer, that can't install any; what they were asked, by server."""
    asked = {server.name: [] for server in SERVERS}
    there = {"deployments": dict.fromkeys(asked, "")}

    class Fake:
        def __init__(self, machine, **hear):
            self.name = machine.server.name
            self.hear = hear.get("hear")

        def do(self, verb, _text="", *, timeout):
            assert timeout > 0
            asked[self.name].append(verb)
            if verb == "install":
                raise PackagesMissing(f"{self.name}: no way to haproxy")
            if self.hear:
                versions = dict.fromkeys((*SETS["openstack"], "python3-amqp"), "1")
                self.hear({"event": "packages", "packages": versions})
            return {"event": "facts", "schemas": [], "deployment": there["deployments"][self.name], **KERNEL}

    monkeypatch.setattr(deployment, "Agent", Fake)
    return asked, there["deployments"]


def test_a_server_that_gets_no_packages_is_named_with_the_set_for_its_image(agents, context):
    inputs = DebianInputs(servers=SERVERS, roles={Role.CONTROLLER: 2, Role.COMPUTE: 1})
    with pytest.raises(PackagesMissing, match="ctl1: no way to haproxy") as caught:
        deploy(inputs, Passwords.generate("rf-test"), context)
    assert '"@openstack-controllers"' in caught.value.hint
    assert "nat: true" in caught.value.hint
    asked, _deployments = agents
    assert "install" in asked["ctl1"]
    assert not any(set(verbs) - {"facts", "install"} for verbs in asked.values())


def test_volumes_on_lvm_are_refused_where_the_kernel_can_not_have_them_and_nothing_is_installed(agents, context):
    inputs = DebianInputs(servers=SERVERS, roles=STORAGE_APART, volume_driver="lvm")
    with pytest.raises(ServerUnfit, match="compute: its kernel has no device-mapper"):
        deploy(inputs, Passwords.generate("rf-test"), context)
    asked, _deployments = agents
    assert asked["compute"] == ["facts"]


def test_only_storage_servers_have_to_have_the_volume_group():
    inputs = DebianInputs(servers=SERVERS, roles=STORAGE_APART, volume_driver="lvm", volume_group="vg0")
    first, _second, storage = lay_out(inputs.servers, inputs.roles).servers
    check_volume_group(inputs, first, [])
    check_kernel(inputs, first, [])
    check_volume_group(inputs, storage, ["vg0", "other"])
    with pytest.raises(ServerUnfit, match="no volume group 'vg0': it has other"):
        check_volume_group(inputs, storage, ["other"])
    with pytest.raises(ServerUnfit, match="it has none"):
        check_volume_group(inputs, storage, [])


def test_only_compute_servers_have_to_have_kvm_and_only_for_kvm():
    inputs = DebianInputs(servers=SERVERS, roles=STORAGE_APART, driver="libvirt", virt_type="kvm")
    controller, compute, _storage = lay_out(inputs.servers, inputs.roles).servers
    check_kernel(inputs, controller, [])
    check_kernel(inputs, compute, ["kvm"])
    check_kernel(inputs.model_copy(update={"virt_type": "qemu"}), compute, [])
    with pytest.raises(ServerUnfit, match="no /dev/kvm"):
        check_kernel(inputs, compute, [])


def test_a_deployment_is_there_when_all_servers_have_it(agents, context):
    _asked, deployments = agents
    deployments.update(ctl1="rf-test", ctl2="rf-test", compute="another")
    assert not all_have(SERVERS, "rf-test", context)
    deployments["compute"] = "rf-test"
    assert all_have(SERVERS, "rf-test", context)
