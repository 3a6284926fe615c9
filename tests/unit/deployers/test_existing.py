import contextlib
import dataclasses
import http.server
import threading

import pytest
import yaml

from rallyflow.clouds.connection import sign_in
from rallyflow.clouds.resources import OpenStackObjects
from rallyflow.clouds.rest import Service
from rallyflow.deployers.deployer import DeployOutputs
from rallyflow.deployers.embedded import Embedded
from rallyflow.deployers.existing import Existing
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, InputsInvalid, NotFound

LOCAL = {"name": "here", "host": "127.0.0.1", "connection": "local"}


@pytest.fixture
def cloud(context):
    """A cloud that is there already."""
    return Embedded().run(Embedded.Inputs.model_validate({"servers": [LOCAL]}), context).outputs.cloud


@pytest.fixture
def later(context):
    """The context of another step, with a ledger of its own."""
    return dataclasses.replace(context, step="existing", ledger=type(context.ledger)())


@pytest.fixture
def entry(cloud):
    return yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]["embedded"]


def run(context, **fields):
    return Existing().run(Existing.Inputs.model_validate(fields), context).outputs


def save(path, **entries):
    path.write_text(yaml.safe_dump({"clouds": entries}))
    return path


def test_a_named_cloud_is_probed_and_nothing_is_booked(cloud, later):
    found = run(later, cloud="embedded", clouds_yaml=str(cloud.clouds_yaml)).cloud
    assert (found.kind, found.simulated, found.auth_url) == ("existing", False, cloud.auth_url)
    assert found.clouds_yaml == cloud.clouds_yaml
    assert {"compute", "image", "network"} <= found.versions.keys()
    assert later.ledger.open() == []


def test_probing_again_finds_the_same_cloud(cloud, later):
    outputs = run(later, cloud="embedded", clouds_yaml=str(cloud.clouds_yaml))
    assert Existing().revive(outputs, later) == outputs


def test_without_a_path_openstacksdk_finds_the_file(entry, later, tmp_path, monkeypatch):
    file = save(tmp_path / "elsewhere.yaml", mine=entry)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    assert run(later, cloud="mine").cloud.clouds_yaml == file


def test_the_environment_is_written_down_for_later_steps(entry, later, monkeypatch):
    for name, value in entry["auth"].items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    monkeypatch.setenv("OS_REGION_NAME", "RegionOne")
    found = run(later, cloud="envvars").cloud
    assert found.clouds_yaml.parent == later.artifacts
    assert found.clouds_yaml.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(found.clouds_yaml.read_text())["clouds"][found.name]["auth"] == entry["auth"]
    assert sign_in(found).project_id
    assert Existing().revive(DeployOutputs(cloud=found), later).cloud == found


@pytest.mark.parametrize("public", [{}, {"region_name": "{place}"}])
def test_an_entry_that_is_nothing_without_its_secrets_is_written_down(entry, later, tmp_path, public):
    file = save(tmp_path / "clouds.yaml", mine=public)
    save(tmp_path / "secure.yaml", mine=entry | {"place": "RegionOne"})
    found = run(later, cloud="mine", clouds_yaml=str(file)).cloud
    assert found.clouds_yaml.parent == later.artifacts
    assert found.region == "RegionOne"
    assert sign_in(found).project_id


def test_a_secure_yaml_that_adds_nothing_leaves_the_file_what_it_is(entry, later, tmp_path):
    file = save(tmp_path / "clouds.yaml", mine=entry)
    save(tmp_path / "secure.yaml", other={"auth": {"password": "x"}})
    assert run(later, cloud="mine", clouds_yaml=str(file)).cloud.clouds_yaml == file


def test_a_wrong_password_is_refused_with_the_name_of_the_cloud(entry, later, tmp_path):
    file = save(tmp_path / "c.yaml", mine=entry | {"auth": entry["auth"] | {"password": "wrong"}})
    with pytest.raises(CloudRefused, match="'mine'") as caught:
        run(later, cloud="mine", clouds_yaml=str(file))
    assert "clouds.yaml" in caught.value.hint


def test_a_cloud_that_does_not_answer_is_unreachable(entry, later, tmp_path):
    nowhere = entry["auth"] | {"auth_url": "http://127.0.0.1:9/identity/v3"}
    file = save(tmp_path / "c.yaml", mine=entry | {"auth": nowhere})
    with pytest.raises(CloudUnreachable, match="'mine'"):
        run(later, cloud="mine", clouds_yaml=str(file))


def test_a_cloud_that_answers_nonsense_is_not_taken_for_one(entry, later, tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            nonsense = entry["auth"] | {"auth_url": f"http://127.0.0.1:{server.server_port}/v3"}
            file = save(tmp_path / "c.yaml", mine=entry | {"auth": nonsense})
            with pytest.raises((CloudUnreachable, CloudAnswered), match="'mine'"):
                run(later, cloud="mine", clouds_yaml=str(file))
        finally:
            server.shutdown()
            thread.join()


def test_a_missing_entry_or_file_is_not_found(cloud, later, tmp_path):
    with pytest.raises(NotFound, match="'nothing'"):
        run(later, cloud="nothing", clouds_yaml=str(cloud.clouds_yaml))
    with pytest.raises(NotFound, match="there is no file"):
        run(later, cloud="embedded", clouds_yaml=str(tmp_path / "nothing.yaml"))
    with pytest.raises(NotFound, match="'nothing'"):
        run(later, cloud="nothing")


def names(cloud, service, path):
    return {each["name"] for each in next(iter(sign_in(cloud).service(service).get(path).json().values()))}


BASE = {"image": "tiny", "flavors": ["m1.tiny", "rf.one", "rf.two"], "network": "outside", "physical_network": "lab"}


def test_a_base_is_made_where_it_is_not_there_and_goes_with_the_run(cloud, later, tmp_path):
    (tmp_path / "disk.qcow2").write_bytes(b"QFI\xfb" * 300)
    image = {"image_file": str(tmp_path / "disk.qcow2"), "disk_format": "qcow2"}
    before = {path: names(cloud, *path) for path in (("image", "/images"), ("compute", "/flavors"))}
    run(later, cloud="embedded", clouds_yaml=str(cloud.clouds_yaml), base=BASE | image)
    (tiny,) = sign_in(cloud).service("image").get("/images?name=tiny").json()["images"]
    assert (tiny["status"], tiny["size"], tiny["disk_format"]) == ("active", 1200, "qcow2")
    assert {row.name for row in later.ledger.open()} == {"tiny", "rf.one", "rf.two", "outside"}
    for row in reversed(later.ledger.open()):
        OpenStackObjects().delete(row)
    assert {path: names(cloud, *path) for path in before} == before
    assert "outside" not in names(cloud, "network", "/networks")


@pytest.mark.parametrize("told", ["created", "nothing"])
def test_what_was_only_intended_is_told_from_what_others_have_under_that_name(cloud, later, monkeypatch, told):
    def cut_off(_row, _external_id, **_more):
        raise KeyboardInterrupt

    if told == "nothing":
        monkeypatch.setattr(later.ledger, "created", cut_off)
    for part in ({"image": "tiny"}, {"flavors": ["rf.one"]}, {"network": "outside"}):
        base = {"image": "", "flavors": [], "network": ""} | part
        with contextlib.suppress(KeyboardInterrupt):
            run(later, cloud="embedded", clouds_yaml=str(cloud.clouds_yaml), base=base)
    image, network = sign_in(cloud).service("image"), sign_in(cloud).service("network")
    their_image = image.post("/images", {"name": "tiny"}).json()["id"]
    their_network = network.post("/networks", {"network": {"name": "outside"}}).json()["network"]["id"]
    assert len(later.ledger.open()) == 3
    for row in later.ledger.open():
        OpenStackObjects().delete(row)
    assert [each["id"] for each in image.get("/images?name=tiny").json()["images"]] == [their_image]
    assert [each["id"] for each in network.get("/networks?name=outside").json()["networks"]] == [their_network]
    assert "rf.one" not in names(cloud, "compute", "/flavors")


def test_an_upload_that_was_cut_off_is_made_good(cloud, later, monkeypatch):
    def cut_off(*_arguments):
        raise KeyboardInterrupt

    fields = {"cloud": "embedded", "clouds_yaml": str(cloud.clouds_yaml), "base": {"image": "tiny", "network": ""}}
    with monkeypatch.context() as patch:
        patch.setattr(Service, "upload", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(later, **fields)
    run(later, **fields)
    (tiny,) = sign_in(cloud).service("image").get("/images?name=tiny").json()["images"]
    assert tiny["status"] == "active"
    assert len(later.ledger.open()) == 1


@pytest.mark.parametrize("content", [None, b""])
def test_an_image_file_that_is_not_there_is_said_before_anything_is_made(cloud, later, tmp_path, content):
    if content is not None:
        (tmp_path / "disk.img").write_bytes(content)
    base = {"image": "tiny", "image_file": str(tmp_path / "disk.img")}
    with pytest.raises(InputsInvalid, match="image_file"):
        run(later, cloud="embedded", clouds_yaml=str(cloud.clouds_yaml), base=base)
    assert later.ledger.open() == []
