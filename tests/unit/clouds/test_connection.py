from __future__ import annotations

import pytest
import yaml
from keystoneauth1.exceptions import BadRequest, DiscoveryFailure, ServiceUnavailable

from rallyflow.clouds.connection import answered, connect, login_of, sign_in, translated
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound


def changed(cloud, tmp_path, **auth):
    """The cloud with other credentials."""
    content = yaml.safe_load(cloud.clouds_yaml.read_text())
    content["clouds"]["test"]["auth"].update(auth)
    file = tmp_path / "clouds.yaml"
    file.write_text(yaml.safe_dump(content))
    return cloud.model_copy(update={"clouds_yaml": file})


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of openstacksdk about itself
def test_openstacksdk_works_over_our_transport(cloud):
    connection = connect(cloud)
    try:
        names = {flavor.name for flavor in connection.compute.flavors()}
        network = connection.network.create_network(name="sdk")
        assert connection.network.get_network(network.id).name == "sdk"
        connection.network.delete_network(network)
        assert connection.network.find_network("sdk") is None
    finally:
        connection.close()
    assert "m1.tiny" in names


def test_only_the_clouds_own_file_counts(cloud, monkeypatch):
    monkeypatch.setenv("OS_USERNAME", "somebody-else")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1/v3")
    monkeypatch.setenv("OS_CLOUD", "another")

    assert login_of(cloud).auth["username"] == "admin"
    assert sign_in(cloud).project_id


def test_a_login_does_not_show_its_secrets(cloud):
    assert "pw" not in repr(login_of(cloud)).replace("password", "")


def test_a_wrong_password_is_refused(cloud, tmp_path):
    with pytest.raises(CloudRefused):
        sign_in(changed(cloud, tmp_path, password="wrong"))
    with pytest.raises(CloudRefused), translated("listing servers"):
        list(connect(changed(cloud, tmp_path, password="wrong")).compute.servers())


def test_a_cloud_that_is_off_is_unreachable(cloud, tmp_path):
    with pytest.raises(CloudUnreachable):
        sign_in(changed(cloud, tmp_path, auth_url="http://127.0.0.1:1/v3"))


def test_a_missing_file_or_entry_is_not_found(cloud, tmp_path):
    with pytest.raises(NotFound, match="is not there"):
        sign_in(cloud.model_copy(update={"clouds_yaml": tmp_path / "nothing.yaml"}))
    with pytest.raises(NotFound, match="has no cloud 'other'"):
        sign_in(cloud.model_copy(update={"name": "other"}))


def test_a_token_that_the_cloud_forgot_is_renewed(cloud):
    session = sign_in(cloud)
    compute = session.service("compute")
    session.token = "forgotten"

    assert compute.get("/servers").json() == {"servers": []}
    assert session.token != "forgotten"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, CloudAnswered),
        (401, CloudRefused),
        (403, CloudRefused),
        (404, NotFound),
        (409, CloudAnswered),
        (500, CloudAnswered),
        (503, CloudUnreachable),
    ],
)
def test_replies_become_errors_that_say_what_the_service_said(status, kind):
    error = answered(status, b'{"badRequest": {"code": 400, "message": "Flavor is too small"}}', "POST /x")

    assert type(error) is kind
    assert str(error) == f"POST /x -> {status} Flavor is too small"


@pytest.mark.parametrize(("origin", "kind"), [(ServiceUnavailable(), CloudUnreachable), (BadRequest(), NotFound)])
def test_a_discovery_that_fails_is_about_the_answer_that_it_got(origin, kind):
    with pytest.raises(kind), translated("signing in"):
        raise DiscoveryFailure from origin


def test_a_body_that_is_not_json_is_shown_as_it_is():
    assert str(answered(502, b"<html>Bad Gateway", "GET /x")) == "GET /x -> 502 <html>Bad Gateway"
