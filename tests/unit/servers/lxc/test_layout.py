from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.errors import InputsInvalid, NetworkTaken
from rallyflow.model.ids import RunId, Tag
from rallyflow.servers.providers.lxc import names
from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.layout import POOL, choose, free_networks, hosts_file, lay_out

NETWORK = IPv4Network("10.1.0.0/24")
networks = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(int(POOL.network_address), int(POOL.broadcast_address)),
    st.integers(16, 32),
)


@given(st.lists(networks, max_size=20), st.integers(1, 1000))
def test_a_chosen_network_overlaps_with_none_that_is_taken_and_has_enough_addresses(taken, addresses):
    found = next(choose(taken, addresses), None)
    if found is None:
        assert taken
        return
    assert found.subnet_of(POOL)
    assert not any(found.overlaps(each) for each in taken)
    assert found.num_addresses - 2 >= addresses


def test_networks_elsewhere_do_not_matter_and_a_default_route_is_none():
    taken = ["0.0.0.0/32", "192.168.0.0/16", "10.213.0.0/25"]
    assert str(next(free_networks(LxcInputs(count=3), taken, 1))) == "10.213.1.0/24"


def test_a_pool_without_a_free_network_is_an_error_and_a_given_network_is_all_that_is_tried():
    with pytest.raises(NetworkTaken):
        next(free_networks(LxcInputs(count=3), [str(POOL)], 1))
    only = free_networks(LxcInputs(count=3, network=NETWORK), [str(NETWORK)], 1)
    assert next(only) == NETWORK
    with pytest.raises(NetworkTaken):
        next(only)


@given(st.integers(1, 60), st.integers(1, 4), st.sets(st.integers(1, 254), max_size=20))
def test_every_container_and_every_host_has_an_address_of_its_own(count, hosts, asked):
    given_servers = [{"name": f"s{number}", "address": f"10.1.0.{number}"} for number in asked]
    inputs = LxcInputs.model_validate(
        {"network": str(NETWORK), "servers": [*given_servers, {"name": "more", "count": count}]}
    )
    layout = lay_out(inputs, NETWORK, [f"h{number}" for number in range(hosts)])
    addresses = [*layout.gateways, *(place.address for place in layout.places)]
    assert len(set(addresses)) == len(addresses) == hosts + len(asked) + (max(1, count))
    assert all(address in NETWORK for address in addresses)
    assert {str(place.address) for place in layout.places} >= {each["address"] for each in given_servers}


def test_containers_take_turns_on_hosts_unless_they_say_where():
    inputs = LxcInputs.model_validate(
        {"servers": [{"name": "a", "count": 4}, {"name": "b", "host": "h1"}, {"name": "c", "host": "h0"}]}
    )
    layout = lay_out(inputs, NETWORK, ["h0", "h1"])
    assert [place.host for place in layout.places] == [0, 1, 0, 1, 1, 0]
    with pytest.raises(InputsInvalid, match="h1"):
        lay_out(inputs, NETWORK, ["h0"])


def test_a_network_that_is_too_small_is_an_error():
    with pytest.raises(InputsInvalid, match="too small"):
        lay_out(LxcInputs(count=6), IPv4Network("10.1.0.0/29"), ["h"])


def test_limits_of_a_server_come_before_those_of_the_step():
    inputs = LxcInputs.model_validate({"memory": "1GiB", "servers": [{"name": "a", "memory": "64MiB"}, {"name": "b"}]})
    assert [place.memory for place in lay_out(inputs, NETWORK, ["h"]).places] == [64 << 20, 1 << 30]


def test_containers_know_each_other_by_name():
    text = hosts_file(lay_out(LxcInputs(count=2), NETWORK, ["h"]))
    assert text.splitlines()[-2:] == ["10.1.0.2 server1", "10.1.0.3 server2"]


@given(st.integers(0, 10**9))
def test_names_of_devices_fit_into_fifteen_characters_and_differ_by_step(number):
    first, second = (str(Tag(RunId("20261126-024450-abcde"), key)) for key in ("0" * 9 + "1", "0" * 9 + "2"))
    container = names.container(first, f"server{number}")
    devices = [names.bridge(first), names.vxlan(first), names.veth(container)]
    assert all(len(name) <= 15 and name.startswith("rf") for name in devices)
    assert len({*devices, names.bridge(second), names.vxlan(second), names.veth(container + "0")}) == 6
    assert 0 < names.vxlan_id(first) < 1 << 24


def test_what_is_no_tag_has_no_names():
    with pytest.raises(ValueError, match="not a tag"):
        names.bridge("server")
