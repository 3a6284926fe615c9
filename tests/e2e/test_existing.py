"""`deploy/existing`, with the simulated cloud of another run as a cloud that was there before."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from rallyflow.clouds.rest import CloudSession, Login
from rallyflow.errors import Exit

KEPT = """
rallyflow: 1
name: kept
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}", keep: true}}
teardown: never
"""

USED = """
rallyflow: 1
name: used
steps:
  cloud: {uses: deploy/existing, with: %s}
  health:
    uses: verify/api
    with: {cloud: "${{ steps.cloud.cloud }}", image: cirros, flavor: m1.tiny}
  load:
    uses: benchmark
    needs: [health]
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {serial: {iterations: 1}}
  sdk:
    uses: shell
    with:
      run: '"$PYTHON" -c "import openstack; print(len(list(openstack.connect().compute.flavors())))"'
      env:
        PYTHON: %s
        OS_CLIENT_CONFIG_FILE: ${{ steps.cloud.cloud.clouds_yaml }}
        OS_CLOUD: ${{ steps.cloud.cloud.name }}
"""
"""A cloud that is used in every way that there is."""


@pytest.fixture(scope="module")
def entry(cli_in, tmp_path_factory):
    """The entry of a clouds.yaml for a cloud that tests share, and must not break."""
    cli = cli_in(tmp_path_factory.mktemp("kept"))
    try:
        cli.ok("apply", cli.workflow(KEPT))
        (cloud,) = (row["outputs"]["cloud"] for row in cli.json("show", "@latest")["steps"] if row["name"] == "cloud")
        yield yaml.safe_load(Path(cloud["clouds_yaml"]).read_text())["clouds"][cloud["name"]]
    finally:
        cli.stop_all()


def use(cli, **given):
    """Return a workflow that uses a cloud in every way."""
    return cli.workflow(USED % (json.dumps(given), json.dumps(sys.executable)))


def save(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


def succeeded(cli, *arguments, **env):
    cli.ok(*arguments, **env)
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}


def test_the_cloud_of_the_os_variables_serves_all_steps(cli, entry):
    variables = {f"OS_{name.upper()}": value for name, value in entry["auth"].items()}
    succeeded(cli, "apply", use(cli, cloud="envvars"), **variables, OS_REGION_NAME=entry["region_name"])


@pytest.mark.parametrize("where", ["beside", "home"])
def test_a_password_in_secure_yaml_serves_all_steps_and_gets_nowhere_else(cli, entry, tmp_path, where):
    password = entry["auth"]["password"]
    public = entry | {"auth": {key: value for key, value in entry["auth"].items() if key != "password"}}
    file = save(tmp_path / "clouds.yaml", {"clouds": {"mine": public}})
    folder = tmp_path if where == "beside" else tmp_path / "config" / "openstack"
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "secure.yaml", {"clouds": {"mine": {"auth": {"password": password}}}})
    elsewhere = {} if where == "beside" else {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    succeeded(cli, "apply", use(cli, cloud="mine", clouds_yaml=str(file)), **elsewhere)
    (holder,) = (path for path in cli.home.rglob("*") if path.is_file() and password.encode() in path.read_bytes())
    assert (holder.name, holder.stat().st_mode & 0o777) == ("clouds.yaml", 0o600)


def test_a_profile_of_clouds_public_yaml_serves_all_steps(cli, entry, tmp_path):
    auth_url = entry["auth"]["auth_url"]
    public = {"lab": {"auth": {"auth_url": auth_url}, "region_name": entry["region_name"]}}
    save(tmp_path / "clouds-public.yaml", {"public-clouds": public})
    mine = {"profile": "lab", "auth": {key: value for key, value in entry["auth"].items() if key != "auth_url"}}
    save(tmp_path / "clouds.yaml", {"clouds": {"mine": mine}})
    succeeded(cli, "apply", use(cli, cloud="mine"))


GOES_ON = """
rallyflow: 1
name: goes-on
steps:
  cloud: {uses: deploy/existing, with: {cloud: mine}}
  then: {uses: shell, needs: [cloud], with: {run: test -e ready}}
  load:
    uses: benchmark
    needs: [then]
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.list_flavors
      contexts: {users: null}
      load: {serial: {iterations: 1}}
"""


def test_a_new_password_in_secure_yaml_counts_when_a_run_goes_on(cli, entry, tmp_path):
    admin = CloudSession(Login("password", entry["auth"], entry["region_name"]))
    identity = admin.service("identity")
    body = {"name": "rotated", "password": "first", "default_project_id": admin.project_id}
    user = identity.post("/users", {"user": body}).json()["user"]["id"]
    (role,) = (each["id"] for each in identity.get("/roles").json()["roles"] if each["name"] == "admin")
    identity.put(f"/projects/{admin.project_id}/users/{user}/roles/{role}")

    auth = {key: value for key, value in entry["auth"].items() if key != "password"}
    save(tmp_path / "clouds.yaml", {"clouds": {"mine": entry | {"auth": auth | {"username": "rotated"}}}})
    save(tmp_path / "secure.yaml", {"clouds": {"mine": {"auth": {"password": "first"}}}})
    assert cli.run("apply", cli.workflow(GOES_ON)).returncode == Exit.ERRORED
    identity.request("PATCH", f"/users/{user}", b'{"user": {"password": "second"}}')
    save(tmp_path / "secure.yaml", {"clouds": {"mine": {"auth": {"password": "second"}}}})
    (tmp_path / "ready").touch()
    succeeded(cli, "resume")


class Gateway(http.server.ThreadingHTTPServer):
    """Another address of a cloud, which knows what was asked of it there."""

    daemon_threads = True

    def __init__(self, cloud):
        super().__init__(("127.0.0.1", 0), Forwarding)
        self.cloud, self.asked = urlsplit(cloud).netloc, []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Forwarding(http.server.BaseHTTPRequestHandler):
    """Hands a request on, and its answer back."""

    def forward(self):
        self.server.asked.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.closing(http.client.HTTPConnection(self.server.cloud)) as connection:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            content = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = forward  # noqa: N815

    def log_message(self, *_arguments):
        pass


@contextlib.contextmanager
def served(server):
    """Serve until the end of the block."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def gateway(entry):
    with served(Gateway(entry["auth"]["auth_url"])) as server:
        yield server


def booted_there(gateway):
    """Whether verify/api and the load each have booted a server by way of a gateway."""
    return [path for method, path in gateway.asked if method == "POST"] == ["/compute/v2.1/servers"] * 2


def test_endpoint_overrides_count_before_the_catalogue_in_all_steps(cli, entry, tmp_path, gateway):
    overrides = {"compute_endpoint_override": f"{gateway.address}/compute/v2.1"}
    save(tmp_path / "clouds.yaml", {"clouds": {"mine": entry | overrides}})
    succeeded(cli, "apply", use(cli, cloud="mine"))
    assert booted_there(gateway)


def test_endpoint_overrides_among_the_os_variables_count_too(cli, entry, gateway):
    variables = {f"OS_{name.upper()}": value for name, value in entry["auth"].items()}
    variables |= {"OS_REGION_NAME": entry["region_name"]}
    variables |= {"OS_COMPUTE_ENDPOINT_OVERRIDE": f"{gateway.address}/compute/v2.1"}
    succeeded(cli, "apply", use(cli, cloud="envvars"), **variables)
    assert booted_there(gateway)


@pytest.mark.parametrize("name", ["volumev3", "block_storage"])
def test_endpoint_overrides_go_by_any_name_of_a_service(cli, entry, tmp_path, gateway, name):
    override = {f"{name}_endpoint_override": f"{gateway.address}/volume/v3/%(project_id)s"}
    shown = found(cli, tmp_path, entry | override)["services"]
    (endpoint,) = (each["endpoint"] for each in shown if each["type"] in ("volumev3", "block-storage"))
    assert endpoint.startswith(f"{gateway.address}/volume/v3/")
    assert "%" not in endpoint


def test_an_endpoint_override_without_a_version_leads_to_one(cli, entry, tmp_path, gateway):
    shown = found(cli, tmp_path, entry | {"image_endpoint_override": f"{gateway.address}/image"})
    assert [urlsplit(each["endpoint"]).path for each in shown["services"] if each["type"] == "image"] == ["/image/v2"]
    assert "cirros" in [each["name"] for each in shown["images"]]
    assert ("GET", "/image") in [(method, path.rstrip("/")) for method, path in gateway.asked]


class OneAnswer(http.server.BaseHTTPRequestHandler):
    """Answers all requests in one way."""

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Subject-Token", "opaque")
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_arguments):
        pass


class Keystone(http.server.ThreadingHTTPServer):
    """One that has the same answer for everything."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), OneAnswer)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def say(self, status, content):
        self.status, self.content = status, json.dumps(content).encode()


@contextlib.contextmanager
def answering(status, content):
    """Serve a keystone that has one answer for everything."""
    with served(Keystone()) as server:
        server.say(status, content)
        yield server


def failure(status, message=""):
    """Return an error as keystone sends it."""
    return {"error": {"code": status, "message": message}}


PROBED = """
rallyflow: 1
name: probed
steps:
  cloud:
    uses: deploy/existing
    with: {cloud: mine}
    retry: {attempts: 2, delay: 1ms}
"""


def refused(cli, tmp_path, entry):
    """Return the error with which a run ends that does no more than look at a cloud, and the attempts it took."""
    save(tmp_path / "clouds.yaml", {"clouds": {"mine": entry}})
    assert cli.run("apply", cli.workflow(PROBED)).returncode == Exit.ERRORED
    ((error, attempts),) = cli.query("SELECT error, attempt FROM step")
    return json.loads(error), attempts


@pytest.mark.parametrize(("status", "path"), [(429, "/v3"), (502, "/v3"), (503, "/identity/v3"), (504, "/v3")])
def test_a_keystone_that_is_overloaded_for_a_moment_is_asked_again(cli, entry, tmp_path, status, path):
    with answering(status, failure(status)) as server:
        auth = entry["auth"] | {"auth_url": f"{server.address}{path}"}
        error, attempts = refused(cli, tmp_path, entry | {"auth": auth})
    assert (error["code"], attempts) == ("RF0602", 2)


@pytest.mark.parametrize(
    ("auth", "others", "said"),
    [
        ({"password": None}, {}, "it has no `password`"),
        ({"username": None}, {}, "it has no `username`"),
        ({"password": None, "pasword": "x"}, {}, "did you mean 'password'"),
        ({"auth_url": None}, {}, "not given: auth_url"),
        ({"auth_url": "127.0.0.1/v3"}, {}, "begins with http"),
        ({"auth_url": "http://{host}/v3"}, {}, "'host' in braces"),
        ({}, {"auth_type": "admin_token", "auth": {"endpoint": "http://127.0.0.1:9", "token": "t"}}, "admin_token"),
        ({}, {"auth_type": "nosuch"}, "no auth_type 'nosuch'"),
        ({"auth_url": "https://127.0.0.1:9/v3"}, {"cacert": "/nowhere.pem"}, "/nowhere.pem"),
    ],
)
def test_a_plain_mistake_in_clouds_yaml_is_told_with_its_key(cli, entry, tmp_path, auth, others, said):
    given = {key: value for key, value in (entry["auth"] | auth).items() if value is not None}
    error, attempts = refused(cli, tmp_path, entry | {"auth": given} | others)
    assert (error["code"], attempts) == ("RF0613", 1)
    assert said in f"{error['what']} {error['hint']}"


@pytest.mark.parametrize(
    ("message", "code"),
    [("Could not recognize Fernet token", "RF0611"), ("The resource could not be found.", "RF0612")],
)
def test_a_token_that_keystone_does_not_know_is_told_from_an_address_that_it_does_not_have(
    cli, entry, tmp_path, message, code
):
    with answering(404, failure(404, message)) as server:
        auth = {"auth_url": f"{server.address}/v3", "token": "gAAAAAB", "project_name": "admin"}
        auth |= {"project_domain_name": "Default"}
        error, _ = refused(cli, tmp_path, entry | {"auth_type": "token", "auth": auth})
    assert error["code"] == code
    assert "gAAAAAB" not in str(error)


@pytest.mark.parametrize(
    ("given", "there"),
    [({"region_name": "RegionTwo"}, "RegionOne"), ({"interface": "publik"}, "admin, internal, public")],
)
def test_a_wrong_region_or_interface_is_told_at_once_with_what_there_is(cli, entry, tmp_path, given, there):
    error, _ = refused(cli, tmp_path, entry | given)
    assert error["code"] == "RF0613"
    assert repr(next(iter(given.values()))) in error["what"]
    assert error["hint"].endswith(f": {there}")


def test_a_clouds_fingerprint_is_of_the_interface_that_is_used(cli, entry, tmp_path):
    def token(**addresses):
        place = {"region": entry["region_name"], "region_id": entry["region_name"]}
        endpoints = [{"id": name, "interface": name, "url": url} | place for name, url in addresses.items()]
        catalogue = [{"id": "c", "type": "compute", "name": "nova", "endpoints": endpoints}]
        return {"token": {"methods": ["password"], "expires_at": "2999-01-01T00:00:00.000000Z", "catalog": catalogue}}

    def fingerprint():
        cli.ok("apply", cli.workflow(PROBED))
        return cli.json("show", "@latest")["steps"][0]["outputs"]["cloud"]["fingerprint"]

    with answering(201, {}) as server:
        given = entry | {"auth": entry["auth"] | {"auth_url": f"{server.address}/v3"}, "interface": "internal"}
        save(tmp_path / "clouds.yaml", {"clouds": {"mine": given}})
        server.say(201, token(public="http://one", internal="http://two"))
        before = fingerprint()
        server.say(201, token(public="http://other", internal="http://two"))
        assert fingerprint() == before
        server.say(201, token(public="http://other", internal="http://three"))
        assert fingerprint() != before


def found(cli, tmp_path, entry):
    file = save(tmp_path / "found.yaml", {"clouds": {"mine": entry}})
    return cli.json("discover", "--cloud", "mine", "--clouds-yaml", file)
