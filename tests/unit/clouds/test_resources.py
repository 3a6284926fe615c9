from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.resources import OpenStackObjects, _remove_security_groups, next_page
from rallyflow.errors import CloudAnswered, InternalError
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Resource
from rallyflow.model.states import ResourceState


def row(cloud, kind, name, external_id="", **detail):
    state = ResourceState.CREATED if external_id else ResourceState.INTENT
    detail["cloud"] = cloud.model_dump(mode="json")
    return Resource(1, RunId("r"), StepId("s"), 1, f"openstack.{kind}", name, state, external_id, detail=detail)


def names(session, service, path, key):
    return {entry["name"] for entry in session.service(service).get(path).json()[key]}


def test_an_object_goes_by_its_id(cloud):
    network = sign_in(cloud).service("network")
    made = network.post("/networks", {"network": {"name": "t-one"}}).json()["network"]

    OpenStackObjects().delete(row(cloud, "network", "t-one", made["id"]))

    assert network.get(f"/networks/{made['id']}", accept=(404,)).status == 404


def test_an_object_that_was_only_intended_is_found_by_its_whole_name(cloud):
    network = sign_in(cloud).service("network")
    for name in ("t-two", "t-two-more"):
        network.post("/networks", {"network": {"name": name}})

    OpenStackObjects().delete(row(cloud, "network", "t-two"))
    assert names(sign_in(cloud), "network", "/networks", "networks") & {"t-two", "t-two-more"} == {"t-two-more"}
    OpenStackObjects().delete(row(cloud, "network", "t-two-more"))


@pytest.mark.parametrize("kind", ["server", "volume", "image", "network", "user", "project", "flavor"])
def test_an_object_that_is_gone_is_fine(cloud, kind):
    OpenStackObjects().delete(row(cloud, kind, "t-gone", "5f1c4c1e-0000-0000-0000-000000000000"))
    OpenStackObjects().delete(row(cloud, kind, "t-never-made"))


def test_a_router_goes_with_its_subnets_still_there(cloud):
    network = sign_in(cloud).service("network")
    net = network.post("/networks", {"network": {"name": "t-net"}}).json()["network"]["id"]
    body = {"subnet": {"name": "t-sub", "network_id": net, "cidr": "10.9.0.0/24", "ip_version": 4}}
    subnet = network.post("/subnets", body).json()["subnet"]["id"]
    router = network.post("/routers", {"router": {"name": "t-router"}}).json()["router"]["id"]
    network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet})

    OpenStackObjects().delete(row(cloud, "router", "t-router", router))
    OpenStackObjects().delete(row(cloud, "network", "t-net", net))

    assert network.get(f"/routers/{router}", accept=(404,)).status == 404
    assert network.get(f"/networks/{net}", accept=(404,)).status == 404


def test_everything_with_a_prefix_goes_and_nothing_else(cloud):
    session = sign_in(cloud)
    image = next(iter(session.service("image").get("/images").json()["images"]))["id"]
    flavor = session.service("compute").get("/flavors").json()["flavors"][0]["id"]
    named = ("t-l-1", "t-l-2", "t-other")
    for name in named:
        server = {"name": name, "imageRef": image, "flavorRef": flavor}
        session.service("compute").post("/servers", {"server": server})
    for name in named:
        session.service("block-storage").post("/volumes", {"volume": {"name": name, "size": 1}})
        session.service("network").post("/networks", {"network": {"name": name}})
        data = {"name": name, "disk_format": "raw", "container_format": "bare"}
        session.service("image").post("/images", data)

    OpenStackObjects().delete(row(cloud, "objects", "t-l-"))

    for service, path, key in (
        ("compute", "/servers", "servers"),
        ("block-storage", "/volumes", "volumes"),
        ("network", "/networks", "networks"),
        ("image", "/images", "images"),
    ):
        assert {name for name in names(session, service, path, key) if name.startswith("t-")} == {"t-other"}
    OpenStackObjects().delete(row(cloud, "objects", "t-other"))


class Groups:
    """The network service of a project whose one security group answers its removal like this."""

    def __init__(self, kind):
        self._body = json.dumps({"NeutronError": {"type": kind, "message": "no"}}).encode()
        self._listed = {"security_groups": [{"id": "g"}]}

    def has(self, _service):
        return True

    def service(self, _service):
        return self

    def get(self, _path):
        return SimpleNamespace(json=lambda: self._listed)

    def delete(self, _path, *, accept):
        assert 409 in accept
        return SimpleNamespace(status=409, body=self._body)


def test_a_project_stays_while_something_in_it_uses_its_security_group():
    with pytest.raises(CloudAnswered, match="project p has something left"):
        _remove_security_groups(Groups("SecurityGroupInUse"), "p")
    _remove_security_groups(Groups("SecurityGroupCannotRemoveDefault"), "p")


def test_a_kind_that_nobody_knows_is_an_error(cloud):
    with pytest.raises(InternalError):
        OpenStackObjects().delete(row(cloud, "teapot", "t"))


@pytest.mark.parametrize(
    ("page", "path"),
    [
        (
            {"servers_links": [{"rel": "next", "href": "http://c:1/compute/v2.1/servers/detail?marker=a&limit=2"}]},
            "/servers/detail?marker=a&limit=2",
        ),
        ({"next": "/v2/images?marker=a"}, "/images?marker=a"),
        ({"links": {"next": None, "self": "x"}}, None),
        ({"links": {"next": "http://c:1/compute/v2.1/servers?marker=b"}}, "/servers?marker=b"),
        ({}, None),
    ],
)
def test_the_next_page_is_found_in_every_services_manner(page, path):
    endpoint = "http://c:1/image/v2" if "next" in page else "http://c:1/compute/v2.1"

    assert next_page(page, "servers", endpoint) == path
