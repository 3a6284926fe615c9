"""Tempest's place in a cloud, in a real (simulated) one."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import yaml

from rallyflow.clouds.connection import connect, sign_in
from rallyflow.clouds.tagged import remove_found, scan
from rallyflow.errors import CloudRefused, InternalError, NotFound
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Resource
from rallyflow.model.states import ResourceState
from rallyflow.verifiers.tempest.choosing import choose
from rallyflow.verifiers.tempest.facts import gather
from rallyflow.verifiers.tempest.inputs import TempestInputs
from rallyflow.verifiers.tempest.workspace import (
    KIND,
    TempestWorkspaces,
    given_account,
    make_account,
    make_flavor,
    make_image,
)

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
PREFIX = "rf-20261126-030000-abcde-0123456789-"
SHORT = "rf-0123456789-"


@pytest.fixture
def row(cloud):
    detail = {"cloud": cloud.model_dump(mode="json"), "prefixes": [SHORT]}
    return Resource(
        1, RunId("20261126-030000-abcde"), StepId("t"), 1, KIND, PREFIX, ResourceState.INTENT, detail=detail
    )


def names(cloud):
    """Return the names of everything in the cloud, and what is in projects of others than admin's."""
    connection = connect(cloud)
    kinds = (
        connection.identity.domains(),
        connection.identity.projects(),
        connection.identity.users(),
        connection.identity.roles(),
        connection.image.images(),
        connection.compute.flavors(is_public=None),
        connection.network.networks(),
        connection.block_storage.volumes(all_projects=True),
    )
    found = {(type(each).__name__, each.name) for kind in kinds for each in kind}
    connection.close()
    return found


def test_all_that_tempest_may_leave_is_removed_and_nothing_else(cloud, row):
    before = names(cloud)
    session = sign_in(cloud)
    account = make_account(session, f"{PREFIX}tempest")
    make_image(session, f"{PREFIX}image-1", None, 0)
    make_image(session, f"{PREFIX}image-2", io.BytesIO(b"x" * 100), 100)
    make_flavor(session, f"{PREFIX}flavor-1", 64, 1)
    keystone = session.service("identity")
    project = keystone.post("/projects", {"project": {"name": "tempest-Any-1", "domain_id": account.domain_id}}).json()
    keystone.post(
        "/users", {"user": {"name": "tempest-Any-1-project", "domain_id": account.domain_id, "password": "x"}}
    )
    keystone.post("/roles", {"role": {"name": f"{SHORT}role"}})
    keystone.post("/domains", {"domain": {"name": f"{SHORT}domain"}})
    make_flavor(session, f"{SHORT}Test-flavor", 64, 1)
    network = {"name": "any-name-at-all", "project_id": project["project"]["id"]}
    session.service("network").post("/networks", {"network": network})
    assert len(names(cloud) - before) == 12
    TempestWorkspaces().delete(row)
    assert names(cloud) == before
    TempestWorkspaces().delete(row)  # what is gone is fine


def test_a_cloud_shows_it_to_who_has_lost_the_ledger(cloud, row):
    session = sign_in(cloud)
    account = make_account(session, f"{PREFIX}tempest")
    try:
        keystone = session.service("identity")
        content = {"name": "tempest-Any-1", "domain_id": account.domain_id}
        project = keystone.post("/projects", {"project": content}).json()["project"]["id"]
        keystone.post("/users", {"user": {**content, "password": "x"}})
        session.service("network").post("/networks", {"network": {"name": "any", "project_id": project}})
        found = [each for each in scan(session).objects if str(each.tag) == PREFIX.rstrip("-")]
        assert [(each.kind, each.name.removeprefix(PREFIX)) for each in found] == [
            ("network", "any"),
            ("user", "tempest"),
            ("user", "tempest-Any-1"),
            ("project", "tempest"),
            ("project", "tempest-Any-1"),
            ("domain", "tempest"),
        ]
        assert remove_found(session, found) == []
        assert PREFIX not in str(names(cloud))
    finally:
        TempestWorkspaces().delete(row)


def test_tempest_is_an_admin_of_the_cloud_in_its_own_domain(cloud, row):
    try:
        account = make_account(sign_in(cloud), f"{PREFIX}tempest")
        entry = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]["test"]
        entry["auth"] |= {"username": account.username, "password": account.password}
        entry["auth"] |= {"project_name": account.project}
        entry["auth"] |= {"user_domain_name": account.domain, "project_domain_name": account.domain}
        file = cloud.clouds_yaml.with_name("tempest.yaml")
        file.write_text(yaml.safe_dump({"clouds": {"test": entry}}))
        session = sign_in(cloud.model_copy(update={"clouds_yaml": file}))
        assert account.domain in {
            each["name"] for each in session.service("identity").get("/domains").json()["domains"]
        }
    finally:
        TempestWorkspaces().delete(row)


def test_who_may_not_make_domains_is_told_what_else_there_is(cloud, row):
    connection = connect(cloud)
    try:
        project = connection.identity.create_project(name=f"{PREFIX}p")
        user = connection.identity.create_user(name=f"{PREFIX}u", password="pw", default_project_id=project.id)
        member = next(role for role in connection.identity.roles() if role.name == "member")
        connection.identity.assign_project_role_to_user(project, user, member)
        entry = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]["test"]
        entry["auth"] |= {"username": user.name, "project_name": project.name}
        file = cloud.clouds_yaml.with_name("member.yaml")
        file.write_text(yaml.safe_dump({"clouds": {"test": entry}}))
        with pytest.raises(CloudRefused) as caught:
            make_account(sign_in(cloud.model_copy(update={"clouds_yaml": file})), f"{PREFIX}tempest")
        assert "isolate: false" in caught.value.hint
    finally:
        connection.identity.delete_user(user)
        connection.identity.delete_project(project)
        connection.close()
        TempestWorkspaces().delete(row)


def test_the_users_own_account_is_taken_when_that_is_wanted(cloud):
    account = given_account(sign_in(cloud))
    assert (account.username, account.project, account.domain) == ("admin", "admin", "Default")
    assert "pw" not in repr(account)


def test_another_kind_is_nobodys_business(row):
    with pytest.raises(InternalError):
        TempestWorkspaces().delete(replace(row, kind="tempest.other"))


def test_the_cloud_says_what_it_has(cloud):
    facts = gather(cloud)
    assert {"identity", "image", "compute", "network", "block-storage"} == facts.services
    assert facts.images
    assert facts.flavors
    assert facts.simulated
    assert not facts.reachable
    assert facts.volume_catalog in ("block-storage", "volumev3")
    assert facts.compute.greatest.startswith("2.")


def test_what_tests_boot_is_the_smallest_or_what_is_named(cloud):
    facts, session = gather(cloud), sign_in(cloud)
    by_ram = sorted(facts.flavors, key=lambda flavor: (flavor.ram, flavor.disk, flavor.name))
    refs = choose(facts, TempestInputs(cloud=cloud, create=False), session, PREFIX)
    assert (refs.flavor, refs.flavor_alt) == (by_ram[0].id, by_ram[1].id)
    named = TempestInputs(cloud=cloud, create=False, flavor=by_ram[-1].name)
    assert choose(facts, named, session, PREFIX).flavor == by_ram[-1].id
    for wrong in ({"flavor": "no-such"}, {"image": "no-such"}, {"network": "no-such"}):
        with pytest.raises(NotFound, match="no-such"):
            choose(facts, TempestInputs(cloud=cloud, create=False, **wrong), session, PREFIX)


def test_the_cloud_shows_an_admin_whose_its_images_are(cloud):
    glance = sign_in(cloud).service("image")
    wanted = {"name": "mine", "disk_format": "raw", "container_format": "bare", "visibility": "private", "min_ram": 70}
    made = glance.post("/images", wanted).json()
    try:
        glance.upload(f"/images/{made['id']}/file", io.BytesIO(b"x"), 1)
        facts = gather(cloud)
        mine, cirros = (next(each for each in facts.images if each.name == name) for name in ("mine", "cirros"))
        assert (mine.public, mine.owner, facts.project) == (False, made["owner"], made["owner"])
        assert (mine.min_ram, mine.min_disk) == (70, 1)
        assert cirros.public
    finally:
        glance.delete(f"/images/{made['id']}")


def test_a_flavor_that_the_images_fit_in_is_made_and_removed(cloud, row):
    facts = gather(cloud)
    (cirros,) = (image for image in facts.images if image.name == "cirros")
    greedy = replace(facts, images=(replace(cirros, min_ram=9000, min_disk=100),))
    try:
        refs = choose(greedy, TempestInputs(cloud=cloud), sign_in(cloud), PREFIX)
        made = {flavor.id: flavor for flavor in gather(cloud).flavors}
        assert [(made[ref].ram, made[ref].disk) for ref in (refs.flavor, refs.flavor_alt)] == [
            (9000, 100),
            (18000, 100),
        ]
    finally:
        TempestWorkspaces().delete(row)


def test_what_is_missing_is_made_and_removed(cloud, row):
    before = names(cloud)
    facts = replace(gather(cloud), images=(), flavors=())
    try:
        refs = choose(facts, TempestInputs(cloud=cloud), sign_in(cloud), PREFIX)
        assert len({refs.image, refs.image_alt, refs.flavor, refs.flavor_alt}) == 4
    finally:
        TempestWorkspaces().delete(row)
    assert names(cloud) == before
