"""What is said when packages can't be installed."""

from __future__ import annotations

import pytest

from rallyflow.deployers.debian.agent import packages, places
from rallyflow.deployers.debian.agent.events import AgentError
from rallyflow.servers.packages import SETS, expanded, sets_with


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """A machine without a way out: nothing is known, and nothing can be fetched."""
    (tmp_path / "usr/sbin").mkdir(parents=True)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    monkeypatch.setattr(packages, "_can_get", lambda _missing, _env: False)
    asked = []

    def call(command, **_options):
        if command[0] == "dpkg-query":
            return "ii  nova-api 2:26\n"
        asked.append(command[-1])
        if "install" in command:
            raise AgentError("apt-get ended with exit code 100", "E: Unable to locate package haproxy")
        return ""

    monkeypatch.setattr(packages, "call", call)
    return asked


def test_packages_that_can_not_be_had_are_named_with_what_apt_says(apt, tmp_path):
    with pytest.raises(AgentError) as caught:
        packages.install(["nova-api", "haproxy"], 60.0)
    assert apt == ["update", "haproxy"]
    assert caught.value.kind == "packages"
    assert "with haproxy" in caught.value.what
    assert "Unable to locate" in caught.value.log
    assert not (tmp_path / "usr/sbin/policy-rc.d").exists()


def test_nothing_is_asked_of_apt_when_all_is_there(apt):
    assert packages.install(["nova-api"], 60.0) == []
    assert apt == []


def test_an_image_with_a_hypervisor_has_no_package_that_says_there_is_none():
    assert "nova-compute-ironic" in expanded(["@openstack"])
    for names in (["@openstack", "@openstack-libvirt"], ["@openstack-libvirt", "@openstack"]):
        assert "nova-compute-ironic" not in expanded(names)
        assert "nova-compute-kvm" in expanded(names)


def test_the_sets_that_hold_what_is_missing_are_known():
    assert sets_with(["haproxy", "swift-proxy"]) == ("@openstack-controllers", "@openstack-swift")
    assert sets_with(["nginx"]) == ()
    assert set(expanded(["@openstack-heat"])) == set(SETS["openstack-heat"])


@pytest.mark.usefixtures("apt")
def test_an_installation_that_is_killed_leaves_no_service_forbidden_once_the_agent_runs_again(tmp_path):
    policy = tmp_path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    cut_off = packages._nothing_starts()
    cut_off.__enter__()
    assert "exit 101" in policy.read_text()
    packages.let_start()
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert [path.name for path in policy.parent.iterdir()] == ["policy-rc.d"]
    packages.let_start()  # there is nothing to be done
    assert "exit 104" in policy.read_text()
