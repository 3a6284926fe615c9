from datetime import UTC, datetime

import openstack
import pytest

from rallyflow.clouds.embedded import process


def test_a_server_is_built_shown_and_removed(user, boot):
    server = boot(user, "first", networks="auto")
    assert server.status == "ACTIVE"
    assert server.vm_state == "active"
    assert server.launched_at
    assert server.addresses["private"][0]["addr"].startswith("10.1.")
    user.compute.delete_server(server)
    user.compute.wait_for_delete(server, interval=0.01, wait=20)
    assert list(user.compute.servers()) == []
    assert list(user.network.ports()) == []


def test_a_new_server_is_in_build_until_it_is_active(new_cloud):
    cloud = new_cloud(compute={"build": "300s"})
    with cloud.connect() as connection:
        image, flavor = connection.image.find_image("cirros"), connection.compute.find_flavor("m1.tiny")
        server = connection.compute.create_server(name="a", image_id=image.id, flavor_id=flavor.id, networks="none")
        server = connection.compute.get_server(server.id)
        assert (server.status, server.vm_state, server.task_state) == ("BUILD", "building", "spawning")


def test_a_server_is_there_until_it_is_deleted(new_cloud, boot):
    cloud = new_cloud(compute={"build": "1ms", "delete": "300s"})
    with cloud.connect() as connection:
        server = boot(connection)
        connection.compute.delete_server(server)
        assert connection.compute.get_server(server.id).task_state == "deleting"


def test_a_missing_server_is_not_found_in_novas_words(user):
    with pytest.raises(openstack.exceptions.NotFoundException, match="Instance nothing could not be found"):
        user.compute.get_server("nothing")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"flavor_id": "nothing"}, "Flavor nothing could not be found"),
        ({"image_id": "nothing"}, "Image nothing could not be found"),
        ({"name": ""}, "Invalid input for field/attribute name"),
        ({"networks": [{"uuid": "nothing"}]}, "Network nothing could not be found"),
    ],
)
def test_a_server_of_things_that_are_not_there_is_a_bad_request(user, boot, fields, message):
    with pytest.raises(openstack.exceptions.BadRequestException, match=message):
        boot(user, **({"name": "bad"} | fields))


def test_servers_are_listed_newest_first_filtered_and_in_pages(user, boot):
    for number in range(5):
        boot(user, f"server-{number}")
    names = ["server-4", "server-3", "server-2", "server-1", "server-0"]
    assert [s.name for s in user.compute.servers()] == names
    assert [s.name for s in user.compute.servers(details=False)] == names
    assert [s.name for s in user.compute.servers(limit=2)] == names
    assert [s.name for s in user.compute.servers(name="server-2")] == ["server-2"]
    assert [s.name for s in user.compute.servers(status="SHUTOFF")] == []
    page = user.compute.get("/servers?limit=2").json()
    assert [s["name"] for s in page["servers"]] == names[:2]
    following = page["servers_links"][0]["href"]
    assert following.endswith(f"/compute/v2.1/servers?limit=2&marker={page['servers'][-1]['id']}")
    assert [s["name"] for s in user.compute.get(following).json()["servers"]] == names[2:4]


def test_a_user_sees_the_servers_of_the_project_and_an_admin_those_of_all(admin, user, stranger, boot):
    mine, other = boot(user, "mine"), boot(stranger, "other")
    assert [s.id for s in user.compute.servers(all_projects=True)] == [mine.id]
    with pytest.raises(openstack.exceptions.NotFoundException):
        user.compute.get_server(other.id)
    assert {mine.id, other.id} <= {s.id for s in admin.compute.servers(all_projects=True)}
    assert [s.id for s in admin.compute.servers()] == []


def test_a_quota_that_is_used_up_refuses_with_novas_message(admin, user, boot):
    admin.compute.update_quota_set(user.current_project_id, instances=1)
    boot(user)
    message = "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    with pytest.raises(openstack.exceptions.ForbiddenException, match=message):
        boot(user)
    admin.compute.update_quota_set(user.current_project_id, instances=-1, cores=1)
    with pytest.raises(openstack.exceptions.ForbiddenException, match="Quota exceeded for cores"):
        boot(user)
    assert user.compute.get_limits().absolute.instances_used == 1


def test_the_microversion_decides_how_a_flavor_is_shown(user, boot):
    server = boot(user)
    old = user.compute.get(f"/servers/{server.id}", microversion="2.1")
    new = user.compute.get(f"/servers/{server.id}", microversion="2.90")
    assert old.json()["server"]["flavor"]["id"] == "1"
    assert new.json()["server"]["flavor"]["original_name"] == "m1.tiny"
    assert new.headers["OpenStack-API-Version"] == "compute 2.90"
    assert user.compute.get("/servers", microversion="2.999").status_code == 406


def test_a_snapshot_becomes_an_image_that_boots(user, boot):
    server = boot(user)
    image = user.compute.create_server_image(server, "snapshot")
    image = user.image.wait_for_status(image, "active", interval=0.01, wait=20)
    assert (image.name, image.properties["image_type"]) == ("snapshot", "snapshot")
    assert len(user.image.download_image(image).content) == image.size
    assert boot(user, image_id=image.id).status == "ACTIVE"


@pytest.mark.parametrize(
    ("action", "status", "back"),
    [
        ("stop_server", "SHUTOFF", "start_server"),
        ("pause_server", "PAUSED", "unpause_server"),
        ("suspend_server", "SUSPENDED", "resume_server"),
        ("rescue_server", "RESCUE", "unrescue_server"),
        ("shelve_server", "SHELVED_OFFLOADED", "unshelve_server"),
    ],
)
def test_actions_lead_from_active_to_another_state_and_back(user, boot, action, status, back):
    server = boot(user)
    getattr(user.compute, action)(server)
    server = user.compute.wait_for_server(server, status, interval=0.01, wait=20)
    with pytest.raises(openstack.exceptions.ConflictException, match="while it is in vm_state"):
        user.compute.resize_server(server, "2") if status != "SHUTOFF" else user.compute.stop_server(server)
    getattr(user.compute, back)(server)
    assert user.compute.wait_for_server(server, interval=0.01, wait=20).status == "ACTIVE"


def test_a_server_is_rebooted_and_rebuilt(user, boot):
    server = boot(user)
    user.compute.reboot_server(server, "SOFT")
    server = user.compute.wait_for_server(server, interval=0.01, wait=20)
    user.compute.rebuild_server(server, user.image.find_image("cirros").id, name="rebuilt")
    server = user.compute.wait_for_server(server, interval=0.01, wait=20)
    assert server.name == "rebuilt"


def test_a_resize_is_confirmed_or_reverted(user, boot):
    server = boot(user)
    user.compute.resize_server(server, "2")
    user.compute.wait_for_server(server, "VERIFY_RESIZE", interval=0.01, wait=20)
    user.compute.confirm_server_resize(server)
    server = user.compute.wait_for_server(server, interval=0.01, wait=20)
    assert server.flavor.name == "m1.small"
    user.compute.resize_server(server, "3")
    user.compute.wait_for_server(server, "VERIFY_RESIZE", interval=0.01, wait=20)
    user.compute.revert_server_resize(server)
    assert user.compute.wait_for_server(server, interval=0.01, wait=20).flavor.name == "m1.small"


def test_a_locked_server_stays_as_it_is(user, boot):
    server = boot(user)
    user.compute.lock_server(server)
    with pytest.raises(openstack.exceptions.ConflictException, match="is locked"):
        user.compute.stop_server(server)
    user.compute.unlock_server(server)
    user.compute.stop_server(server)
    assert user.compute.wait_for_server(server, "SHUTOFF", interval=0.01, wait=20).status == "SHUTOFF"


def test_metadata_is_set_and_removed(user, boot):
    server = boot(user, metadata={"a": "1"})
    user.compute.set_server_metadata(server, b="2")
    user.compute.delete_server_metadata(user.compute.get_server(server.id), ["a"])
    assert user.compute.get_server_metadata(server).metadata == {"b": "2"}


def test_flavors_are_made_by_an_admin_and_seen_by_all(admin, user):
    flavor = admin.compute.create_flavor(name="huge", ram=65536, vcpus=32, disk=100)
    assert user.compute.find_flavor("huge").vcpus == 32
    with pytest.raises(openstack.exceptions.ForbiddenException):
        user.compute.create_flavor(name="mine", ram=1, vcpus=1, disk=1)
    with pytest.raises(openstack.exceptions.ConflictException, match="already exists"):
        admin.compute.create_flavor(name="huge", ram=1, vcpus=1, disk=1)
    admin.compute.create_flavor_extra_specs(flavor, {"hw:cpu_policy": "shared"})
    assert admin.compute.get_flavor(flavor.id).extra_specs == {"hw:cpu_policy": "shared"}
    admin.compute.delete_flavor(flavor)
    assert user.compute.find_flavor("huge") is None


def test_flavors_are_asked_for_by_their_least_memory_and_disk(user):
    flavors = list(user.compute.flavors())
    largest = max(flavors, key=lambda flavor: (flavor.ram, flavor.disk))
    assert [each.name for each in user.compute.flavors(min_ram=largest.ram)] == [largest.name]
    assert [each.name for each in user.compute.flavors(min_disk=largest.disk)] == [largest.name]
    assert user.compute.get("/flavors?minRam=much").status_code == 400


def test_a_private_flavor_is_for_those_who_were_let_in(admin, user):
    flavor = admin.compute.create_flavor(name="private", ram=1, vcpus=1, disk=1, is_public=False)
    assert user.compute.find_flavor("private") is None
    admin.compute.flavor_add_tenant_access(flavor, user.current_project_id)
    assert user.compute.get_flavor(flavor.id).name == "private"
    admin.compute.delete_flavor(flavor)


def test_keypairs_belong_to_their_user(user, stranger):
    pair = user.compute.create_keypair(name="key", public_key="ssh-ed25519 AAAA me")
    assert user.compute.get_keypair("key").public_key == pair.public_key
    assert list(stranger.compute.keypairs()) == []
    user.compute.delete_keypair("key")
    assert list(user.compute.keypairs()) == []


def test_an_admin_sees_the_machinery(admin):
    assert [h.name for h in admin.compute.hypervisors(details=True)] == ["embedded-compute"]
    assert {s.binary for s in admin.compute.services()} >= {"nova-compute", "nova-conductor"}
    assert [z.name for z in admin.compute.availability_zones()] == ["nova"]


def test_what_is_not_simulated_says_so(user):
    answer = user.compute.get("/os-floating-ip-pools-of-old")
    assert answer.status_code == 501
    assert "the embedded cloud does not simulate" in answer.json()["notImplemented"]["message"]


def test_builds_fail_as_often_as_asked_for(new_cloud, boot):
    cloud = new_cloud(failure_rate={"build": 1.0})
    with cloud.connect() as connection:
        with pytest.raises(openstack.exceptions.ResourceFailure):
            boot(connection)
        server = next(iter(connection.compute.servers()))
        assert server.status == "ERROR"
        assert "failure_rate" in server.fault["message"]


def test_calls_fail_as_often_as_asked_for(new_cloud):
    cloud = new_cloud(failure_rate={"nova.list_servers": 1.0})
    with cloud.connect() as connection:
        answer = connection.compute.get("/servers/detail")
        assert answer.status_code == 500
        assert "failure_rate" in answer.json()["computeFault"]["message"]


def test_builds_wait_for_each_other_when_there_is_one_worker(new_cloud):
    cloud = new_cloud(compute={"build": "50ms", "workers": 1})
    with cloud.connect() as connection:
        image, flavor = connection.image.find_image("cirros"), connection.compute.find_flavor("m1.tiny")
        before = datetime.now(UTC)
        connection.compute.create_server(
            name="many", image_id=image.id, flavor_id=flavor.id, networks="none", max_count=6, min_count=6
        )
        servers = [connection.compute.wait_for_server(s, interval=0.01) for s in connection.compute.servers()]
    launched = sorted(datetime.fromisoformat(server.launched_at).replace(tzinfo=UTC) for server in servers)
    for number, moment in enumerate(launched, 1):  # each began when the one before was done
        assert (moment - before).total_seconds() > number * 0.049


def test_a_list_costs_more_the_more_it_lists(new_cloud, boot):
    cloud = new_cloud(list_cost_per_row="50ms", compute={"build": "1ms"})
    with cloud.connect() as connection:
        for number in range(4):
            boot(connection, f"server-{number}")
        answer = connection.compute.get("/servers/detail")
        assert len(answer.json()["servers"]) == 4
        assert answer.elapsed.total_seconds() >= 4 * 0.05
        assert process.running(cloud.state) == (cloud.endpoint.pid,)
