"""What is done on all servers before any of their services is touched."""

from __future__ import annotations

import pytest

from rallyflow.deployers.debian import deployment
from rallyflow.deployers.debian.deployment import all_have, deploy
from rallyflow.deployers.debian.inputs import DebianInputs
from rallyflow.deployers.debian.layout import Role
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.errors import PackagesMissing
from rallyflow.model.values import Server
from rallyflow.servers.packages import SETS

SERVERS = tuple(Server(name=name, host="127.0.0.1") for name in ("ctl1", "ctl2", "compute"))


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
            return {"event": "facts", "schemas": [], "deployment": there["deployments"][self.name]}

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


def test_a_deployment_is_there_when_all_servers_have_it(agents, context):
    _asked, deployments = agents
    deployments.update(ctl1="rf-test", ctl2="rf-test", compute="another")
    assert not all_have(SERVERS, "rf-test", context)
    deployments["compute"] = "rf-test"
    assert all_have(SERVERS, "rf-test", context)
