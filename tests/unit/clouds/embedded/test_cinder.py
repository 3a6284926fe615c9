import openstack
import pytest


@pytest.fixture
def volume(user):
    volume = user.block_storage.create_volume(size=1, name="volume")
    assert volume.status == "creating"
    return user.block_storage.wait_for_status(volume, "available", interval=0.01, wait=20)


def test_a_volume_is_made_listed_and_removed(user, stranger, volume):
    assert [v.name for v in user.block_storage.volumes()] == ["volume"]
    assert [v.name for v in user.block_storage.volumes(details=False)] == ["volume"]
    assert list(stranger.block_storage.volumes()) == []
    user.block_storage.delete_volume(volume)
    user.block_storage.wait_for_delete(volume, interval=0.01, wait=20)
    assert list(user.block_storage.volumes()) == []


def test_a_volume_is_attached_to_a_server_until_that_is_gone(user, volume, boot):
    server = boot(user)
    user.compute.create_volume_attachment(server, volume_id=volume.id)
    attached = user.block_storage.get_volume(volume.id)
    assert (attached.status, attached.attachments[0]["server_id"]) == ("in-use", server.id)
    assert [a.volume_id for a in user.compute.volume_attachments(server)] == [volume.id]
    with pytest.raises(openstack.exceptions.BadRequestException, match="it is in-use"):
        user.block_storage.delete_volume(volume)
    user.compute.delete_server(server)
    user.compute.wait_for_delete(server, interval=0.01, wait=20)
    assert user.block_storage.get_volume(volume.id).status == "available"


def test_a_volume_is_detached(user, volume, boot):
    server = boot(user)
    user.compute.create_volume_attachment(server, volume_id=volume.id)
    user.compute.delete_volume_attachment(server, volume.id)
    assert user.block_storage.get_volume(volume.id).status == "available"


def test_a_server_boots_from_a_volume(user, volume, boot):
    device = {"boot_index": 0, "uuid": volume.id, "source_type": "volume", "destination_type": "volume"}
    server = boot(user, image_id="", block_device_mapping=[device])
    assert [v["id"] for v in server.attached_volumes] == [volume.id]


def test_snapshots_hold_their_volume(user, volume):
    snapshot = user.block_storage.create_snapshot(volume_id=volume.id, name="snap")
    snapshot = user.block_storage.wait_for_status(snapshot, "available", interval=0.01, wait=20)
    assert [s.name for s in user.block_storage.snapshots()] == ["snap"]
    with pytest.raises(openstack.exceptions.BadRequestException, match="must not have snapshots"):
        user.block_storage.delete_volume(volume)
    clone = user.block_storage.create_volume(snapshot_id=snapshot.id, name="clone")
    assert clone.size == 1
    user.block_storage.delete_snapshot(snapshot)
    user.block_storage.wait_for_delete(snapshot, interval=0.01, wait=20)


def test_a_volume_grows_only(user, volume):
    user.block_storage.extend_volume(volume, 3)
    user.block_storage.wait_for_status(volume, "available", interval=0.01, wait=20)
    assert user.block_storage.get_volume(volume.id).size == 3
    with pytest.raises(openstack.exceptions.BadRequestException, match="greater than current size"):
        user.block_storage.extend_volume(volume, 2)


def test_a_quota_that_is_used_up_refuses(admin, user, volume):
    assert volume.size == 1
    admin.block_storage.update_quota_set(user.current_project_id, volumes=1)
    with pytest.raises(openstack.exceptions.HttpException, match="Maximum number of volumes allowed"):
        user.block_storage.create_volume(size=1)
    admin.block_storage.update_quota_set(user.current_project_id, volumes=-1, gigabytes=5)
    with pytest.raises(openstack.exceptions.HttpException, match="exceeds allowed gigabytes quota"):
        user.block_storage.create_volume(size=5)


def test_volume_types(admin, user):
    kind = admin.block_storage.create_type(name="fast")
    assert {t.name for t in user.block_storage.types()} == {"embedded", "fast"}
    admin.block_storage.delete_type(kind)
    assert [t.name for t in user.block_storage.types()] == ["embedded"]


def test_a_size_is_a_positive_number(user):
    with pytest.raises(openstack.exceptions.BadRequestException, match="positive integer"):
        user.block_storage.create_volume(size=0)
