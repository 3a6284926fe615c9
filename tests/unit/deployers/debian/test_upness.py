"""What a cloud that was deployed has to say of itself before it counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rallyflow.deployers.debian import upness
from rallyflow.deployers.debian.upness import Hosts, wait_until_up
from rallyflow.errors import CloudIncomplete

HOSTS = Hosts(("ctl1", "ctl2"), ("compute",))


def service(binary, host, state="up"):
    return {"binary": binary, "host": host, "state": state, "status": "enabled"}


@pytest.fixture
def cloud(monkeypatch):
    """A cloud of two controllers and a compute host that answers lists; tests change what it says."""
    said = {
        "compute/os-services": [
            service(f"nova-{what}", host) for what in ("conductor", "scheduler") for host in ("ctl1", "ctl2")
        ]
        + [service("nova-compute", "compute")],
        "compute/os-hypervisors": [{"hypervisor_hostname": "compute"}],
        "network/agents": [{"binary": "neutron-linuxbridge-agent", "host": "compute", "alive": True}],
        "block-storage/os-services": [service("cinder-scheduler", host) for host in ("ctl1", "ctl2")]
        + [service("cinder-volume", "ctl1@fake")],
    }

    def asked(kind):
        def get(path):
            content = said.get(kind + path, [])
            return SimpleNamespace(json=lambda: {"services": content, "hypervisors": content, "agents": content})

        return SimpleNamespace(get=get)

    monkeypatch.setattr(upness, "sign_in", lambda _cloud: SimpleNamespace(service=asked))
    monkeypatch.setattr(upness, "_PATIENCE", 0.0)
    monkeypatch.setattr(upness, "_POLL", 0.0)
    return said


def test_a_cloud_of_which_all_is_up_counts(cloud, context):
    assert cloud
    wait_until_up(None, HOSTS, context)


@pytest.mark.parametrize(
    ("path", "gone", "named"),
    [
        ("compute/os-services", ("nova-conductor", "ctl2"), "nova-conductor on ctl2"),
        ("compute/os-services", ("nova-scheduler", "ctl1"), "nova-scheduler on ctl1"),
        ("compute/os-services", ("nova-compute", "compute"), "nova-compute"),
        ("block-storage/os-services", ("cinder-scheduler", "ctl2"), "cinder-scheduler on ctl2"),
        ("block-storage/os-services", ("cinder-volume", "ctl1@fake"), "cinder-volume"),
    ],
)
def test_a_service_that_a_host_lacks_is_named_with_the_host(cloud, context, path, gone, named):
    cloud[path] = [each for each in cloud[path] if (each["binary"], each["host"]) != gone]
    with pytest.raises(CloudIncomplete, match=f"not up: {named}$"):
        wait_until_up(None, HOSTS, context)


def test_a_service_that_is_down_on_one_controller_is_named(cloud, context):
    cloud["compute/os-services"][1]["state"] = "down"
    with pytest.raises(CloudIncomplete, match="nova-conductor on ctl2"):
        wait_until_up(None, HOSTS, context)


def test_a_hypervisor_that_nobody_knows_is_named(cloud, context):
    cloud["compute/os-hypervisors"] = []
    with pytest.raises(CloudIncomplete, match="hypervisor compute"):
        wait_until_up(None, HOSTS, context)
