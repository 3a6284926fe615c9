"""`deploy/existing`, with the simulated cloud of another run as a cloud that was there before."""

from __future__ import annotations

import json
import sys
from pathlib import Path

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
