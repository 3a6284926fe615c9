from __future__ import annotations

import pytest
from pydantic import ValidationError

from rallyflow.errors import InputsInvalid
from rallyflow.model.values import Server
from rallyflow.servers.packages import SETS, expanded
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.recipes import recipes

HOST = {"name": "h1", "host": "10.0.0.1"}


def refusal(**given: object) -> str:
    with pytest.raises(ValidationError) as caught:
        LxcInputs.model_validate(given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give either"),
        ({"count": 1, "servers": [{"name": "a"}]}, "give either"),
        ({"servers": [{"name": "a1"}, {"name": "a", "count": 2}]}, "two servers are called 'a1'"),
        ({"servers": [{"name": "Big_Name"}]}, "small letters"),
        ({"count": 1, "packages": ["nginx; reboot"]}, "can't be the name of a Debian package"),
        ({"count": 1, "image": "golden", "packages": ["nginx"]}, "is there already"),
        ({"count": 1, "image": "golden", "release": "trixie"}, "is there already"),
        ({"servers": [{"name": "a", "address": "10.1.1.5"}]}, "needs a `network`"),
        ({"network": "10.1.1.0/24", "servers": [{"name": "a", "address": "10.1.2.5"}]}, "needs a `network`"),
        ({"network": "10.1.1.0/24", "servers": [{"name": "a", "address": "10.1.1.255"}]}, "needs a `network`"),
        ({"network": "10.1.1.0/24", "servers": [{"name": "a", "address": "10.1.1.5", "count": 2}]}, "can't all have"),
        ({"network": "10.1.1.5/24", "count": 1}, "not a valid IPv4 network"),
        (
            {"network": "10.1.1.0/24", "servers": [{"name": name, "address": "10.1.1.5"} for name in "ab"]},
            "two servers are to have the address 10.1.1.5",
        ),
        ({"network": "224.0.0.0/24", "count": 1}, "multicast"),
        ({"network": "240.0.0.0/24", "count": 1}, "reserved"),
        ({"network": "169.254.0.0/16", "count": 1}, "link-local"),
        ({"servers": [{"name": "localhost"}]}, "each server itself"),
        ({"count": 1, "packages": ["@openstak"]}, "there is @openstack"),
        ({"count": 1, "cpus": float("inf")}, "less than or equal"),
        ({"count": 1, "cpus": 0.000001}, "greater than or equal"),
        ({"count": 1, "hosts": [HOST, HOST]}, "stands twice"),
        ({"hosts": [HOST], "servers": [{"name": "a", "host": "h2"}]}, "none of the `hosts`"),
        ({"count": 1, "memory": "1MiB"}, "greater than or equal"),
        ({"count": 0}, "greater than or equal"),
    ],
)
def test_what_can_never_be_made_is_refused_with_the_reason(given, words):
    assert words in refusal(**given)


def test_servers_of_one_kind_are_numbered_and_one_alone_is_not():
    inputs = LxcInputs.model_validate({"servers": [{"name": "api"}, {"name": "work", "count": 2, "role": "compute"}]})
    assert [(name, server.role) for name, server in inputs.wanted()] == [
        ("api", ""),
        ("work1", "compute"),
        ("work2", "compute"),
    ]
    assert [name for name, _ in LxcInputs(count=1).wanted()] == ["server1"]
    assert [name for name, _ in LxcInputs(count=2).wanted()] == ["server1", "server2"]


def test_a_set_of_packages_is_unfolded_and_an_unknown_one_is_refused_with_the_one_that_is_close():
    assert expanded(["nginx", "@openstack", "keystone"]) == ("nginx", *SETS["openstack"])
    with pytest.raises(InputsInvalid, match="@openstak") as caught:
        expanded(["@openstak"])
    assert "@openstack" in caught.value.hint


def test_an_image_is_cached_by_its_content_and_stands_on_the_base_of_its_release():
    plain = recipes(LxcInputs(count=1), "x86_64")
    own = recipes(LxcInputs(count=5, memory=1 << 30, packages=("nginx",)), "x86_64")
    assert len(plain) == 1
    assert [recipe.parent for recipe in own] == ["", plain[0].digest]
    assert own[0] == plain[0]
    others = [
        LxcInputs(count=1, packages=("apache2",)),
        LxcInputs(count=1, packages=("nginx",), seed=("true",)),
        LxcInputs(count=1, packages=("nginx",), release="trixie"),
        LxcInputs(count=1, packages=("nginx",), init="systemd"),
        LxcInputs(count=1, packages=("nginx",), mirror="http://example.org/debian"),
    ]
    digests = {recipes(each, "x86_64")[-1].digest for each in others} | {own[1].digest}
    assert len(digests) == 6
    assert recipes(others[0], "aarch64")[-1].digest not in digests


def test_hosts_are_those_of_another_step():
    host = Server(name="outer", host="10.0.0.1")
    assert LxcInputs(count=1, hosts=(host,)).hosts == (host,)
