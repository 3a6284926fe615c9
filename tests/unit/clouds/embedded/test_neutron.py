import openstack
import pytest


@pytest.fixture
def network(user):
    network = user.network.create_network(name="net")
    subnet = user.network.create_subnet(network_id=network.id, cidr="10.9.0.0/29", ip_version=4, name="sub")
    return network, subnet


def test_networks_and_subnets_come_and_go(user, network):
    net, subnet = network
    assert subnet.gateway_ip == "10.9.0.1"
    assert subnet.allocation_pools == [{"start": "10.9.0.2", "end": "10.9.0.6"}]
    assert user.network.get_network(net.id).subnet_ids == [subnet.id]
    assert {n.name for n in user.network.networks()} == {"net", "public", "private"}
    assert [n.name for n in user.network.networks(name="net")] == ["net"]
    user.network.update_network(net, name="renamed")
    assert user.network.find_network("renamed").id == net.id
    user.network.delete_network(net)
    with pytest.raises(openstack.exceptions.NotFoundException, match=f"Network {net.id} could not be found"):
        user.network.get_network(net.id)
    assert user.network.find_subnet("sub") is None


def test_a_network_in_use_stays(user, network, boot):
    net, subnet = network
    server = boot(user, networks=[{"uuid": net.id}])
    assert [p.device_id for p in user.network.ports(network_id=net.id)] == [server.id]
    with pytest.raises(openstack.exceptions.ConflictException, match="ports still in use"):
        user.network.delete_network(net)
    with pytest.raises(openstack.exceptions.ConflictException, match="IP allocation"):
        user.network.delete_subnet(subnet)
    user.compute.delete_server(server)
    user.compute.wait_for_delete(server, interval=0.01, wait=20)
    user.network.delete_network(net)


def test_a_server_with_no_network_named_needs_that_there_is_only_one(user, network, boot):
    assert user.network.get_network(network[0].id)
    with pytest.raises(openstack.exceptions.BadRequestException, match="'networks' is a required property"):
        boot(user, networks=None)
    answer = user.compute.post(
        "/servers",
        json={"server": {"name": "a", "imageRef": user.image.find_image("cirros").id, "flavorRef": "1"}},
    )
    assert answer.status_code == 409
    assert "Multiple possible networks found" in answer.json()["conflictingRequest"]["message"]


def test_others_see_no_networks_but_shared_and_external_ones(stranger, network):
    assert {n.name for n in stranger.network.networks()} == {"public", "private"}
    with pytest.raises(openstack.exceptions.NotFoundException):
        stranger.network.create_port(network_id=network[0].id)


def test_addresses_are_unique_run_out_and_come_back(user, network):
    net, _ = network
    ports = [user.network.create_port(network_id=net.id) for _ in range(5)]
    assert {p.fixed_ips[0]["ip_address"] for p in ports} == {f"10.9.0.{n}" for n in range(2, 7)}
    with pytest.raises(openstack.exceptions.ConflictException, match="No more IP addresses"):
        user.network.create_port(network_id=net.id)
    user.network.delete_port(ports[2])
    again = user.network.create_port(network_id=net.id)
    assert again.fixed_ips == ports[2].fixed_ips


def test_a_server_that_can_not_be_made_leaves_no_ports(user, network, boot):
    with pytest.raises(openstack.exceptions.BadRequestException, match="could not be found"):
        boot(user, networks=[{"uuid": network[0].id}, {"uuid": "nothing"}])
    assert list(user.network.ports()) == []
    assert list(user.compute.servers()) == []


def test_a_port_can_be_given_to_a_server_and_outlives_it(user, network, boot):
    port = user.network.create_port(network_id=network[0].id, fixed_ips=[{"ip_address": "10.9.0.5"}])
    server = boot(user, networks=[{"port": port.id}])
    assert server.addresses["net"][0]["addr"] == "10.9.0.5"
    user.compute.delete_server(server)
    user.compute.wait_for_delete(server, interval=0.01, wait=20)
    assert user.network.get_port(port.id).device_id == ""


@pytest.mark.parametrize("cidr", ["10.9.0.0/30", "nonsense", "10.9.0.1/24"])
def test_a_bad_or_overlapping_range_is_refused(user, network, cidr):
    with pytest.raises(openstack.exceptions.BadRequestException):
        user.network.create_subnet(network_id=network[0].id, cidr=cidr, ip_version=4)


def test_a_router_connects_a_subnet_with_the_outside(user, network):
    net, subnet = network
    public = user.network.find_network("public")
    router = user.network.create_router(name="r", external_gateway_info={"network_id": public.id})
    user.network.add_interface_to_router(router, subnet_id=subnet.id)
    with pytest.raises(openstack.exceptions.ConflictException, match="still has ports"):
        user.network.delete_router(router)
    with pytest.raises(openstack.exceptions.ConflictException, match="ports still in use"):
        user.network.delete_network(net)
    user.network.remove_interface_from_router(router, subnet_id=subnet.id)
    user.network.delete_router(router)
    user.network.delete_network(net)


def test_floating_addresses_are_shown_on_their_server(user, network, boot):
    server = boot(user, networks=[{"uuid": network[0].id}])
    port = next(iter(user.network.ports(device_id=server.id)))
    public = user.network.find_network("public")
    address = user.network.create_ip(floating_network_id=public.id)
    assert (address.status, address.fixed_ip_address) == ("DOWN", None)
    address = user.network.update_ip(address, port_id=port.id)
    assert (address.status, address.fixed_ip_address) == ("ACTIVE", port.fixed_ips[0]["ip_address"])
    kinds = {a["OS-EXT-IPS:type"]: a["addr"] for a in user.compute.get_server(server.id).addresses["net"]}
    assert kinds["floating"] == address.floating_ip_address
    user.network.delete_ip(address)
    assert len(user.compute.get_server(server.id).addresses["net"]) == 1
    assert list(user.network.ips()) == []


def test_every_project_has_a_default_security_group(user):
    group = next(iter(user.network.security_groups()))
    assert group.name == "default"
    with pytest.raises(openstack.exceptions.ConflictException):
        user.network.delete_security_group(group)


def test_security_groups_and_rules(user):
    group = user.network.create_security_group(name="web")
    rule = user.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=80, port_range_max=80
    )
    with pytest.raises(openstack.exceptions.ConflictException, match="already exists"):
        user.network.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            protocol="tcp",
            port_range_min=80,
            port_range_max=80,
        )
    assert len(user.network.get_security_group(group.id).security_group_rules) == 3
    user.network.delete_security_group_rule(rule)
    user.network.delete_security_group(group)
    assert user.network.find_security_group("web") is None


def test_a_quota_that_is_used_up_refuses(admin, user):
    admin.network.update_quota(user.current_project_id, networks=1)
    user.network.create_network(name="one")
    with pytest.raises(openstack.exceptions.ConflictException, match="Quota exceeded for resources"):
        user.network.create_network(name="two")
    assert user.network.get_quota(user.current_project_id).networks == 1


def test_extensions_and_agents(admin):
    assert admin.network.find_extension("router").alias == "router"
    assert admin.network.find_extension("no-such-thing") is None
    assert all(agent.is_alive for agent in admin.network.agents())


def test_what_only_an_admin_may_do(user):
    with pytest.raises(openstack.exceptions.ForbiddenException):
        user.network.create_network(name="all", is_shared=True)
    answer = user.network.post("/networks", json={"network": {"nmae": "typo"}})
    assert answer.status_code == 400
    assert answer.json()["NeutronError"]["message"] == "Unrecognized attribute(s) 'nmae'"
