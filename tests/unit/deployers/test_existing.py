import dataclasses
import http.server
import threading

import pytest
import yaml

from rallyflow.deployers.embedded import Embedded
from rallyflow.deployers.existing import Existing
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound

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
    assert yaml.safe_load(found.clouds_yaml.read_text())["clouds"]["envvars"]["auth"] == entry["auth"]


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
