import openstack
import pytest


def test_an_image_is_uploaded_listed_and_downloaded(user):
    content = bytes(range(256)) * 100
    image = user.image.create_image(
        name="mine", data=content, container_format="bare", disk_format="raw", allow_duplicates=True
    )
    image = user.image.get_image(image.id)
    assert (image.status, image.size) == ("active", len(content))
    assert user.image.download_image(image).content == content
    assert [i.name for i in user.image.images()] == ["mine", "cirros"]
    assert [i.name for i in user.image.images(visibility="public")] == ["cirros"]
    assert [i.name for i in user.image.images(limit=1)] == ["mine", "cirros"]
    user.image.delete_image(image)
    with pytest.raises(openstack.exceptions.NotFoundException, match="No image found with ID"):
        user.image.get_image(image.id)


def test_an_image_without_bytes_is_queued_and_boots_nothing(user, boot):
    image = user.image.create_image(name="empty", container_format="bare", disk_format="raw")
    assert user.image.get_image(image.id).status == "queued"
    with pytest.raises(openstack.exceptions.BadRequestException, match="is not active"):
        boot(user, image_id=image.id)


def test_an_image_is_changed_by_its_project_only(admin, user, stranger):
    image = user.image.create_image(name="mine", container_format="bare", disk_format="raw")
    user.image.update_image(image, name="renamed", os_distro="none")
    assert user.image.get_image(image.id).os_distro == "none"
    assert stranger.image.find_image("renamed") is None
    public = stranger.image.find_image("cirros")
    with pytest.raises(openstack.exceptions.ForbiddenException, match="not permitted"):
        stranger.image.update_image(public, name="stolen")
    with pytest.raises(openstack.exceptions.ForbiddenException, match="publicize_image"):
        user.image.update_image(image, visibility="public")
    admin.image.update_image(image.id, visibility="public")
    assert stranger.image.get_image(image.id).visibility == "public"


def test_a_protected_image_stays(user):
    image = user.image.create_image(name="kept", container_format="bare", disk_format="raw", is_protected=True)
    with pytest.raises(openstack.exceptions.ForbiddenException, match="is protected"):
        user.image.delete_image(image)


def test_tags_and_deactivation(admin, user):
    image = user.image.create_image(name="tagged", data=b"x", container_format="bare", disk_format="raw")
    user.image.add_tag(image, "good")
    assert [i.id for i in user.image.images(tag="good")] == [image.id]
    user.image.remove_tag(image, "good")
    admin.image.deactivate_image(image.id)
    assert user.image.get_image(image.id).status == "deactivated"
    admin.image.reactivate_image(image.id)
    assert user.image.get_image(image.id).status == "active"


def test_an_image_is_changed_in_the_form_of_api_2_0_as_well(user):
    image = user.image.create_image(name="before", disk_format="raw", container_format="bare")
    kind = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
    changes = [{"replace": "/name", "value": "after"}, {"add": "/colour", "value": "red"}]
    assert user.image.patch(f"/images/{image.id}", json=changes, headers=kind).json()["name"] == "after"
    removed = user.image.patch(f"/images/{image.id}", json=[{"remove": "/colour"}], headers=kind).json()
    assert "colour" not in removed
